"""The force with which demons draw one image, or a set of maps, toward another."""

import torch
from torch import Tensor

LEAST = 1e-3  # of the squares that a force is divided by: where neither image changes there is none


def demons_force(moving: Tensor, fixed: Tensor) -> Tensor:
    """Where voxels of `fixed` would be sampled in `moving`, both (B, C, *S), to be more alike: (B, D, *S), in voxels.

    All channels draw together, each with the mean gradient of both images; a force is half a voxel at most.
    Source: Vercauteren et al., NeuroImage 45 (2009), eq. 4 with the symmetric gradient, summed over channels.
    """
    gap = fixed - moving
    slopes = [(_slope(moving, axis) + _slope(fixed, axis)) / 2 for axis in range(2, moving.ndim)]
    pull = torch.stack([(gap * slope).sum(dim=1) for slope in slopes], dim=1)
    steepness = sum((slope * slope).sum(dim=1, keepdim=True) for slope in slopes)
    return pull / (steepness + (gap * gap).sum(dim=1, keepdim=True) + LEAST)


def _slope(image: Tensor, axis: int) -> Tensor:
    """The central difference along an axis, 0 at both ends."""
    inner = (image.narrow(axis, 2, image.shape[axis] - 2) - image.narrow(axis, 0, image.shape[axis] - 2)) / 2
    end = torch.zeros_like(image.narrow(axis, 0, 1))
    return torch.cat([end, inner, end], dim=axis)
