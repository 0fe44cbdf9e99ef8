"""How much memory the registration of a pair takes, asked before it is taken."""

from pathlib import Path

from shared.errors import InputError

GIB_TO_START = 0.6  # python, torch and MONAI
BYTES_A_VOXEL = 250  # of the whole command, NODEO with labels and pictures: 2.14 GiB (ru_maxrss) at 160 × 192 × 224


def check_memory(voxels: int, limit_gib: float, path: str | Path, *, bytes_a_voxel: int = BYTES_A_VOXEL) -> None:
    """Refuse a pair whose fixed image, or grid, has so many `voxels` that its registration takes more than the limit.

    bytes_a_voxel: what one takes, at the most, of the whole command.

    Raises InputError with both figures, in GiB. Call it before anything is resampled.
    """
    needed = GIB_TO_START + voxels * bytes_a_voxel / 2**30
    if needed > limit_gib:
        raise InputError(
            path, expected=f"a pair to register within {limit_gib:g} GiB of memory",
            got=f"one of {voxels:,} voxels, which takes about {needed:.1f} GiB",
            fix=f"crop or downsample both images, or add --memory_limit {needed + 1:.0f}",
        )  # fmt: skip
