"""Cells of neighbouring voxels as channels, and back: pixel unshuffle and shuffle by axis, in 2D and 3D."""

from collections.abc import Sequence

from torch import Tensor


def gathered(x: Tensor, cell: Sequence[int]) -> Tensor:
    """(B, C, *S) to (B, C * voxels of a cell, *S / cell); each size of S divides by that of the cell."""
    if max(cell) == 1:
        return x
    for axis, size in enumerate(cell):
        x = x.unflatten(2 + 2 * axis, (-1, size))
    return x.permute(0, 1, *range(3, x.ndim, 2), *range(2, x.ndim, 2)).flatten(1, 1 + len(cell))


def spread(x: Tensor, cell: Sequence[int]) -> Tensor:
    """(B, C * voxels of a cell, *S) to (B, C, *S * cell): the inverse of `gathered`."""
    if max(cell) == 1:
        return x
    dims = len(cell)
    x = x.unflatten(1, (-1, *cell))
    x = x.permute(0, 1, *(place for axis in range(dims) for place in (2 + dims + axis, 2 + axis)))
    for axis in range(dims):
        x = x.flatten(2 + axis, 3 + axis)
    return x
