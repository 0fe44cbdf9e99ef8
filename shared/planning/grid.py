"""The grid that a network sees volumes on, and by which levels it goes down: nnU-Net's rules.

Source: Isensee et al., nnU-Net, Nature Methods 18 (2021), methods and supplementary note 2.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

ANISOTROPIC = 3.0  # times the other spacings, from which an axis has its own rule
PERCENTILE = 10.0  # of the spacings along such an axis
SMALLEST = 4  # voxels that the coarsest level has at least along an axis
FEWEST = 3  # levels


@dataclass(frozen=True)
class Levels:
    """patch: voxels along each axis, which the strides divide. strides, kernels, cell: see `AxisUNet`."""

    patch: list[int]
    strides: list[list[int]]
    kernels: list[list[int]]
    cell: tuple[int, ...] = ()

    @property
    def count(self) -> int:
        return len(self.kernels)


def target_spacing(spacings: np.ndarray, sizes: np.ndarray) -> list[float]:
    """The spacing, in mm, that volumes are resampled to: the median along each axis.

    Where one axis is over ANISOTROPIC times as coarse as the others, and as short, it is the 10th percentile along it,
    but not finer than the others: thick slices then lose less. spacings, sizes: (cases, axes).
    """
    target = np.median(spacings, axis=0)
    size = np.median(sizes * spacings / target, axis=0)
    worst = int(target.argmax())
    others = [axis for axis in range(len(target)) if axis != worst]
    if target[worst] > ANISOTROPIC * target[others].max() and size[worst] * ANISOTROPIC < size[others].max():
        finer = np.percentile(spacings[:, worst], PERCENTILE)
        target[worst] = max(finer, target[others].max())
    return [round(float(value), 4) for value in target]


def median_size(spacings: np.ndarray, sizes: np.ndarray, target: Sequence[float]) -> list[int]:
    """Of the volumes as they are resampled to `target`, in voxels."""
    return [max(1, round(size)) for size in np.median(sizes * spacings / np.array(target), axis=0).tolist()]


def patches(size: Sequence[int], spacing: Sequence[float], *, smallest: int) -> list[list[int]]:
    """Patches for images of `size`, the largest first: cubes in mm, cut to the image.

    Each has about three quarters of the voxels of the one before, and the last one `smallest` voxels along its longest
    axis. spacing: in mm, along each axis.
    """
    extents = np.array(size) * np.array(spacing)
    side, least = float(extents.max()), smallest * min(spacing)
    found: list[list[int]] = []
    while side >= least or not found:
        patch = [max(1, min(s, round(side / mm))) for s, mm in zip(size, spacing)]
        if patch not in found:
            found.append(patch)
        side *= 0.75 ** (1 / len(size))
    return found


def candidates(
    size: Sequence[int], spacing: Sequence[float], *, smallest: int, most: int, cell: Sequence[int] = ()
) -> list[Levels]:
    """The `levels` of each of the `patches` for images of `size`; of `cell` voxels, where that is given, a cell."""
    if not cell:
        return [levels(patch, spacing, most=most) for patch in patches(size, spacing, smallest=smallest)]
    cells, mm = [-(-s // c) for s, c in zip(size, cell)], [own * c for own, c in zip(spacing, cell)]
    found = candidates(cells, mm, smallest=smallest // max(cell), most=most)
    return [replace(one, patch=[p * c for p, c in zip(one.patch, cell)], cell=tuple(cell)) for one in found]


def cell_of(spacing: Sequence[float]) -> list[int]:
    """Cells of two voxels along each axis that is less than twice as coarse as the finest."""
    return [2 if mm < 2 * min(spacing) else 1 for mm in spacing]


def levels(patch: Sequence[int], spacing: Sequence[float], *, most: int) -> Levels:
    """How a network goes down from `patch`, which is rounded up to what the strides divide.

    A level halves the axes that have twice SMALLEST voxels or more and are less than twice as coarse as the finest of
    them; a convolution is 3 wide along an axis from the level on where that is less than twice as coarse as the finest
    one, until then 1. most: levels.
    """
    size, mm = list(patch), list(spacing)
    wide = [False] * len(size)
    strides: list[list[int]] = []
    kernels: list[list[int]] = []
    while len(kernels) < most - 1:
        halved = _halved(size, mm)
        if not any(halved) and len(kernels) + 1 >= FEWEST:
            break
        wide = [already or own / min(mm) < 2 for already, own in zip(wide, mm)]
        kernels.append([3 if one else 1 for one in wide])
        strides.append([2 if half else 1 for half in halved])
        size = [-(-s // step) for s, step in zip(size, strides[-1])]
        mm = [own * step for own, step in zip(mm, strides[-1])]
    kernels.append([3] * len(size))
    multiples = np.prod(strides, axis=0).tolist()
    return Levels([-(-p // m) * m for p, m in zip(patch, multiples)], strides, kernels)


def _halved(size: Sequence[int], spacing: Sequence[float]) -> list[bool]:
    long_enough = [s >= 2 * SMALLEST for s in size]
    finest = min((mm for mm, enough in zip(spacing, long_enough) if enough), default=0.0)
    return [enough and mm < 2 * finest for mm, enough in zip(spacing, long_enough)]
