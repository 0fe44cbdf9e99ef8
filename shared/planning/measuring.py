"""What a network's step of training takes: operations and memory counted, seconds measured."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from shared.engine.inferers import AutocastInferer
from shared.engine.kept import Kept
from shared.engine.recipe import Part

REPEATS = (2, 10)  # of a step that is measured: the fewest and the most
SPENT = 4.0  # seconds after which no more than the fewest are made


@dataclass(frozen=True)
class Cost:
    """Of a step: floating-point operations, and the bytes that are kept for its way back."""

    operations: float
    kept_bytes: int


def made(network: Part) -> nn.Module:
    """The network of a config's entry without references."""
    built: nn.Module = ConfigParser({"network": network}).get_parsed_content("network")
    return built


def summed(output: Any) -> Tensor:
    """A loss that touches all that a network gives: a tensor, or several by name or place."""
    if isinstance(output, Tensor):
        return output.float().square().mean()
    parts = output.values() if isinstance(output, dict) else output
    return torch.stack([summed(part) for part in parts if part is not None]).sum()


def cost(network: Part, shape: Sequence[int]) -> Cost:
    """Of a step with images (B, C, *S) of `shape`, counted without computing anything."""
    with torch.device("meta"):
        built, image = made(network), torch.zeros(*shape)
        with FlopCounterMode(display=False) as counter, Kept() as kept:
            summed(built(image)).backward()
    return Cost(float(counter.get_total_flops()), kept.bytes)


def seconds(network: Part, shape: Sequence[int], device: torch.device) -> float:
    """A step of training with images (B, C, *S) of `shape`: the least of REPEATS, after one that is not counted."""
    layout = torch.channels_last if len(shape) == 4 else torch.channels_last_3d
    built = made(network).to(device, memory_format=layout)  # type: ignore[call-overload]  # of torch's stub
    optimizer = torch.optim.AdamW(built.parameters())
    image, inferer = torch.rand(*shape, device=device), AutocastInferer()
    return least_seconds(lambda: summed(inferer(image, built)), optimizer, device)


def least_seconds(loss: Callable[[], torch.Tensor], optimizer: torch.optim.Optimizer, device: torch.device) -> float:
    """A step down `loss`: the least of REPEATS, after one that is not counted."""
    times: list[float] = []
    while len(times) <= REPEATS[0] or (len(times) <= REPEATS[1] and sum(times) < SPENT):
        begun = time.perf_counter()
        loss().backward()
        optimizer.step()
        optimizer.zero_grad()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - begun)
    return min(times[1:])


def busy() -> str:
    """A line where other processes compute as well, so that steps are measured too long; "" where none do."""
    cores, load = os.cpu_count() or 1, os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if load < 1 + 0.5 * cores:
        return ""
    return f"the machine is busy (load {load:.1f} on {cores} cores): steps are measured too long; plan when it is not"


def free_memory(device: torch.device) -> int:
    """The bytes that a process can take: of the GPU, or of the machine, within the limit of a container."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    files = {Path("/proc/meminfo"): "MemAvailable:", Path("/sys/fs/cgroup/memory.max"): ""}
    found = [number for path, key in files.items() if (number := _bytes(path, key))]
    if not found and hasattr(os, "sysconf"):  # neither is there: half of what is built in
        found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2]
    return min(found, default=4 * 2**30)


def _bytes(path: Path, key: str) -> int:
    """The number behind `key` in a file, in KiB, or without a key the number that the file is; 0 where it is none."""
    try:
        words = path.read_text().split()
    except OSError:
        return 0
    text = words[words.index(key) + 1] if key in words else words[0] if words and not key else ""
    return int(text) * (1024 if key else 1) if text.isdecimal() else 0
