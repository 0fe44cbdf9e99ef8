"""`--runtime auto`: the runtime that is the fastest for a network on this machine, found by a short trial."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from shared.engine.forms import Outputs, settings_sha256
from shared.engine.weights import load_weights
from shared.errors import InputError
from shared.export.choices import Choice, key_of, remember, remembered
from shared.files import sha256_of

ROUNDS, LONGEST = 3, 3.0  # runs of each runtime after its first, and the seconds after which no round is begun


class FastestNetwork(nn.Module):
    """What a network gives for an image (B, C, *S), by the runtime that takes the least time for the first image.

    network: in torch. others: its stand-ins by runtime, like `OnnxNetwork`; one that does not start is left out, and
    that is printed. What was found is remembered for the weights, the processor, its threads and what is installed.
    choice: the runtime and what it is compared with, in a line; "" before the first image.
    """

    def __init__(self, network: nn.Module, others: Mapping[str, Any], *, bundle_root: str | Path) -> None:
        super().__init__()
        self.network = network
        self.others = dict(others)
        self.bundle = Path(bundle_root).resolve().name
        self.weights: str | Path = ""
        self.fastest: Any = None
        self.choice = ""

    def open(self, weights: str | Path) -> None:
        """Load the weights. Raises InputError where they are missing or do not fit."""
        load_weights(self.network, weights)
        self.weights = weights
        self.fastest = None

    def forward(self, image: Tensor) -> Outputs:
        if self.fastest is None:
            self._choose(image)
        return self.fastest(image)

    def _choose(self, image: Tensor) -> None:
        key = key_of(
            bundle=self.bundle, weights=sha256_of(self.weights), settings=settings_sha256(self.network),
            device=image.device, threads=torch.get_num_threads(), among=sorted(self.others),
            bfloat16=torch.is_autocast_enabled(image.device.type),
        )  # fmt: skip
        choice = remembered(key)
        runtimes = self._opened([choice["runtime"]] if choice else [*self.others])
        if choice is None or choice["runtime"] not in runtimes:
            runtimes = runtimes if choice is None else self._opened([*self.others])
            ms = milliseconds(runtimes, image)
            choice = Choice(bundle=self.bundle, runtime=min(ms, key=lambda name: ms[name]), ms=ms)
            remember(key, choice)
        self.fastest = runtimes[choice["runtime"]]
        self.choice = described(choice)

    def _opened(self, names: list[str]) -> dict[str, Any]:
        """The network in torch, and those of the stand-ins called so that start."""
        device = next(self.network.parameters()).device
        opened: dict[str, Any] = {"torch": self.network}
        for name in names:
            try:
                if name in self.others:
                    self.others[name].open(self.weights)
                    opened[name] = self.others[name]
            except InputError as error:
                print(f"runtime auto: {name} is left out, {error}", flush=True)
        self.network.to(device)  # an export takes it to the processor
        return opened


def milliseconds(runtimes: Mapping[str, Any], image: Tensor) -> dict[str, float]:
    """The least time that each of `runtimes` takes for `image`, by name; they take turns, after a first run of each."""
    times: dict[str, list[float]] = {name: [] for name in runtimes}
    started = time.perf_counter()
    for turn in range(1 + ROUNDS):
        if turn > 1 and time.perf_counter() - started > LONGEST:
            break
        for name, network in runtimes.items():
            begun = time.perf_counter()
            network(image)
            if image.is_cuda:
                torch.cuda.synchronize(image.device)
            if turn:
                times[name].append(1000 * (time.perf_counter() - begun))
    return {name: round(min(each), 2) for name, each in times.items()}


def described(choice: Choice) -> str:
    """A choice in a line."""
    others = ", ".join(f"{name} {ms:g} ms" for name, ms in choice["ms"].items())
    return f"runtime auto: {choice['runtime']}, the fastest for such an image on this machine ({others})"
