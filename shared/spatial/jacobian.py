"""How a displacement field stretches, shrinks and folds space."""

import torch
from torch import Tensor

PLANES_A_SLAB = 8


def jacobian_determinant(displacement: Tensor) -> Tensor:
    """det J of x ↦ x + displacement(x), (B, *S) for (B, D, *S) in voxels, D 2 or 3; space is folded where it is ≤ 0.

    It is the same in mm on a grid of any spacing, where `displacement` is turned with it. Central differences inside,
    one-sided at the border, as numpy.gradient. Raises ValueError where an axis has fewer than two voxels.
    """
    columns = _columns_of_jacobian(displacement)
    if len(columns) == 2:
        along_x, along_y = columns
        return along_x[:, 0] * along_y[:, 1] - along_x[:, 1] * along_y[:, 0]
    return (columns[0] * torch.linalg.cross(columns[1], columns[2], dim=1)).sum(dim=1)


def _columns_of_jacobian(displacement: Tensor) -> list[Tensor]:
    """By axis the derivative (B, D, *S) of x + displacement(x) along it."""
    if min(displacement.shape[2:]) < 2:
        raise ValueError(f"expected two voxels or more along each axis, got {tuple(displacement.shape[2:])}")
    columns = list(torch.gradient(displacement, dim=list(range(2, displacement.ndim))))
    for axis, column in enumerate(columns):
        column[:, axis] += 1
    return columns


def determinant_by_slabs(displacement: Tensor) -> Tensor:
    """What `jacobian_determinant` gives, some planes at a time: of a large volume in a fraction of the memory."""
    size = displacement.shape[2]
    slabs = []
    for start in range(0, size, PLANES_A_SLAB):
        stop = min(start + PLANES_A_SLAB, size)
        first, last = max(start - 1, 0), min(stop + 1, size)  # with the neighbours that central differences need
        slab = jacobian_determinant(displacement[:, :, first:last])
        slabs.append(slab[:, start - first : stop - first])
    return torch.cat(slabs, dim=1)
