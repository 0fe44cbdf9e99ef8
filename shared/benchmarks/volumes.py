"""A synthetic pair of volumes at full size, registered by NODEO's bundle."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from shared.benchmarks.alone import peak_mib
from shared.benchmarks.ours import opened
from shared.benchmarks.tables import Row, Table
from shared.benchmarks.tensors import settle
from shared.images.file import ImageFile
from shared.spatial.warping import resize, warp

FULL_SIZE = (160, 192, 224)  # of the scans that NODEO was published on
WARMING = (32, 32, 32)  # of a pair before it, as kernels are loaded by the first
TEXTURE, MOTION, FARTHEST = 6, 32, 4.0  # voxels: size of the texture and of the motion, and how far that goes


def measure_volume(bundle: Path, *, size: Sequence[int] = FULL_SIZE, device: str = "cpu", threads: int = 2) -> Table:
    """Seconds that a pair takes: the optimisation alone, and from two images in memory to all that a case has."""
    torch.set_num_threads(threads)
    nodeo = opened(bundle, device=device)
    moving, fixed = synthetic_pair(size)
    pair = torch.stack([moving, fixed])[None].to(device)
    optimise = nodeo.part("network")
    optimise(torch.rand(1, 2, *WARMING).to(device))

    def register() -> object:
        return nodeo.predict(moving=_file("moving", moving), fixed=_file("fixed", fixed))

    first = _timed("the optimisation alone", lambda: optimise(pair), device)
    whole = _timed("from images in memory to the result", register, device)
    before, after = _difference(pair), _difference(pair, optimise(pair))
    note = f"The mean squared difference from the fixed image falls from {before:.3g} to {after:.3g}."
    return Table(f"One synthetic pair of {' × '.join(map(str, size))} voxels.", [first, whole], [note])


def synthetic_pair(size: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Two images (*S) between 0 and 1, the second the first moved smoothly by some voxels, from a fixed seed."""
    generator = torch.Generator().manual_seed(0)

    def noise(channels: int, spacing: int) -> Tensor:
        return torch.randn(1, channels, *(-(-s // spacing) for s in size), generator=generator)

    moving = resize(noise(1, TEXTURE), size).sigmoid()
    motion = resize(FARTHEST * noise(len(size), MOTION), size)
    return moving[0, 0], warp(moving, motion, padding="border")[0, 0]


def _difference(pair: Tensor, displacement: Tensor | None = None) -> float:
    moving, fixed = pair.split(1, dim=1)
    moved = moving if displacement is None else warp(moving, displacement)
    return float((moved - fixed).square().mean())


def _file(role: str, image: Tensor) -> ImageFile:
    return ImageFile(Path(role), image[None].numpy(), np.eye(4))


def _timed(name: str, run: Callable[[], object], device: str) -> Row:
    """On a GPU, where the first run chooses kernels, the second counts."""
    for _ in range(1 if device == "cpu" else 2):
        settle(device)
        begun = time.perf_counter()
        run()
        settle(device)
        seconds = time.perf_counter() - begun
    gpu = {"device_mib": torch.cuda.max_memory_allocated() / 2**20} if device == "cuda" else {}
    return {"method": name, "pair_s": seconds, "peak_mib": peak_mib(), **gpu}
