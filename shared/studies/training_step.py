"""A step of a bundle's training with another network: its time, and the memory that it takes."""

import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from shared.studies.timing import open_config

NEEDED = ("initial_network", "loss", "optimizer", "train#inferer", "patch_size", "class_names")  # of a train.json


def training_step(
    config: Path, network_def: Mapping[str, Any], options: Mapping[str, Any], *, device: str = "cpu"
) -> Callable[[], None]:
    """What does a step of a train.json, with `options` of it, on random images, classes and weights.

    device: "meta" computes nothing, and keeps what a step in float32 keeps.
    """
    workflow = open_config(config, **{**options, "network_def": dict(network_def), "device": device})
    get = workflow.parser.get_parsed_content
    network, loss, optimizer, inferer, patch, classes = (get(name) for name in NEEDED)
    if device == "meta":
        inferer = run_plainly
    image = torch.rand(get("batch_size"), get("channels"), *patch, device=device)
    label = torch.randint(len(classes), [len(image), 1, *patch], device=device)

    def run() -> None:
        network.train()
        optimizer.zero_grad()
        loss(inferer(image, network), label).backward()
        optimizer.step()

    return run


def run_plainly(image: Tensor, network: Callable[[Tensor], Tensor]) -> Tensor:
    return network(image)


def peak_bytes(step: Callable[[], None]) -> int:
    """The bytes of tensors that exist at once in a second `step`, at most: what the first one left among them.

    That is weights, gradients and the optimiser's state as well, but not what a kernel takes for itself.
    """
    with AliveTensors() as alive:
        step()
        alive.peak = 0
        step()
    return alive.peak


class AliveTensors(TorchDispatchMode):
    """Counts the bytes of the storages that operations touch, from when they are first seen until they are gone.

    peak: of all at once.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.sizes: dict[int, int] = {}
        self.peak = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        for tensor in tree_leaves((args, kwargs, output)):
            if isinstance(tensor, Tensor):
                self._note(tensor.untyped_storage())
        self.peak = max(self.peak, sum(self.sizes.values()))
        return output

    def _note(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key not in self.sizes:
            self.sizes[key] = storage.nbytes()
            weakref.finalize(storage, self.sizes.pop, key, None)
