"""What keeps a displacement or velocity field smooth, small and free of folds. Fields are (B, D, *S), in voxels."""

import torch
from torch import Tensor

from shared.spatial.jacobian import jacobian_determinant


def diffusion(field: Tensor) -> Tensor:
    """The mean of the squared forward differences along each axis.

    MONAI's DiffusionLoss takes central differences, which a field that alternates from voxel to voxel escapes.
    Source: Balakrishnan et al., VoxelMorph, IEEE TMI 2019, eq. 6.
    """
    return torch.stack([field.diff(dim=axis).square().mean() for axis in range(2, field.ndim)]).mean()


def folding(displacement: Tensor, *, margin: float = 0.0, power: int = 1) -> Tensor:
    """The mean, to a `power`, of what det J lacks to `margin`: 0 where space is nowhere folded.

    Source: Wu et al., NODEO, CVPR 2022, eq. 9 (margin 0); its reference code has margin 0.5 and power 2.
    """
    return (margin - jacobian_determinant(displacement)).clamp(min=0).pow(power).mean()
