"""How large a volume may be, asked before memory is taken for it."""

import math
import os
from collections.abc import Sequence
from pathlib import Path

from shared.errors import InputError

# A network's run holds about 64 bytes a voxel: the image twice in float32, the coordinates of its resampling in
# float64, and three classes twice. No scanner's volume has more voxels than the first number: 2 GiB in float32.
MOST_VOXELS = 2**29
BYTES_A_VOXEL = 64


def most_voxels() -> int:
    """The voxels that a volume may have on this machine."""
    if not hasattr(os, "sysconf"):  # Windows does not say
        return MOST_VOXELS
    return min(MOST_VOXELS, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // BYTES_A_VOXEL)


def check_voxels(path: str | Path, shape: Sequence[int]) -> None:
    """Refuse a file whose header promises `shape`, channels included, where it is empty or more than memory holds."""
    if min(shape, default=0) < 1 or math.prod(map(int, shape)) > most_voxels():
        raise InputError(
            path, expected=f"a volume of 1 to {most_voxels():,} voxels", got=_product(shape),
            fix="check its header, or crop or downsample it",
        )  # fmt: skip


def check_grid(
    shape: Sequence[int], spacing: Sequence[float], pixdim: Sequence[float] | float | None, path: str | Path
) -> None:
    """Refuse an image whose grid, resampled to `pixdim`, would have more voxels than memory holds.

    shape, spacing in mm: those of the image, an entry an axis. pixdim: the spacing to come, in mm, one or an entry an
    axis; None, or what is not above 0, keeps the image's. Call it before anything is resampled.
    """
    wanted = [pixdim] * len(shape) if pixdim is None or isinstance(pixdim, int | float) else list(pixdim)
    factors = [have / want if want and want > 0 else 1.0 for have, want in zip(spacing, wanted)]
    grid = [max(1, round(size * factor)) for size, factor in zip(shape, factors)]
    if math.prod(grid) > most_voxels():
        raise InputError(
            path, expected=f"at most {most_voxels():,} voxels when resampled to {_product(wanted)} mm",
            got=f"{_product(grid)}, from voxels of {_product(spacing)} mm",
            fix="correct the voxel size in its header, or choose a larger --pixdim",
        )  # fmt: skip


def _product(numbers: Sequence[float | None]) -> str:
    return " × ".join(f"{number:g}" if isinstance(number, float) else str(number) for number in numbers)
