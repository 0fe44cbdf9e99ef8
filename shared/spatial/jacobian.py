"""How a displacement field stretches, shrinks and folds space."""

import torch
from torch import Tensor


def jacobian(displacement: Tensor) -> Tensor:
    """The derivative of x ↦ x + displacement(x), (B, D, D, *S) for (B, D, *S) in voxels.

    Entry [:, i, j] is the derivative along axis j of coordinate i. Central differences inside, one-sided at the
    border, as numpy.gradient. Raises ValueError where an axis has fewer than two voxels.
    """
    dims = displacement.ndim - 2
    if min(displacement.shape[2:]) < 2:
        raise ValueError(f"expected two voxels or more along each axis, got {tuple(displacement.shape[2:])}")
    gradients = torch.stack(torch.gradient(displacement, dim=list(range(2, dims + 2))), dim=2)
    return gradients + torch.eye(dims, device=displacement.device).reshape(1, dims, dims, *[1] * dims)


def jacobian_determinant(displacement: Tensor) -> Tensor:
    """det J of x ↦ x + displacement(x), (B, *S) for (B, D, *S) in voxels, D 2 or 3; space is folded where it is ≤ 0.

    It is the same in mm on a grid of any spacing, where `displacement` is turned with it.
    """
    j = jacobian(displacement)
    if j.shape[1] == 2:
        return j[:, 0, 0] * j[:, 1, 1] - j[:, 0, 1] * j[:, 1, 0]
    return (j[:, 0] * torch.linalg.cross(j[:, 1], j[:, 2], dim=1)).sum(dim=1)
