"""Self-similarity descriptors, which look alike in images of unlike contrasts."""

from itertools import combinations

import torch
import torch.nn.functional as F
from torch import Tensor

from shared.layers.smoothing import box_sum

RADIUS, DILATION = 1, 2  # of a patch, and from a voxel to the centres of the patches that are compared; in voxels
NOISE = 3e-4  # a variance, of images from 0 to 1, below which patches are hardly told apart


def self_similarity(image: Tensor, *, noise: float = NOISE) -> Tensor:
    """MIND-SSC: how alike the patches around each voxel of (B, 1, *S) are: (B, 12, *S), in 2D (B, 4, *S), from 0 to 1.

    Each channel is of two of the neighbours along the axes that are √2 apart; the most similar two are at 1. Beyond its
    border the image goes on as its last voxel.
    noise: added to the local variance, so that air is flat and a constant image has descriptors of 1 and a gradient.
    Source: Heinrich et al., MICCAI 2013, eq. 2 and 3. Differs: `noise` instead of bounds relative to the mean variance.
    """
    image = image if image.dtype == torch.float64 else image.float()
    dims = image.ndim - 2
    margin = 2 * DILATION + RADIUS
    padded = F.pad(image, [margin] * (2 * dims), mode="replicate")
    inner = (..., *[slice(margin, -margin)] * dims)
    window = 2 * RADIUS + 1
    distances = []
    for one, other in combinations(range(2, 2 + dims), 2):
        for step in (DILATION, -DILATION):
            apart = (padded - padded.roll((-DILATION, step), (one, other))).square()
            patches = box_sum(apart, window) / window**dims
            # Seen from x, these are its neighbours on one side of it, and those on the other side.
            distances += [patches.roll(-step, other)[inner], patches.roll(DILATION, one)[inner]]
    distance = torch.cat(distances, dim=1)
    distance = distance - distance.amin(dim=1, keepdim=True)
    return torch.exp(-distance / (distance.mean(dim=1, keepdim=True) + noise))


def descriptor_loss(a: Tensor, b: Tensor, *, inside: Tensor | None = None) -> Tensor:
    """The mean squared difference of two images' descriptors (B, C, *S): 0 for images of one structure.

    inside: (B, 1, *S), 1 where voxels count and 0 elsewhere. The mean is over those that count, so that nothing is
    gained or lost by moving others out of sight.
    """
    unlike = (a - b).square()
    if inside is None:
        return unlike.mean()
    return (unlike.mean(dim=1, keepdim=True) * inside).sum() / inside.sum().clamp(min=1)


def with_all_they_see(inside: Tensor) -> Tensor:
    """1 for descriptors (B, 1, *S) made of voxels that are `inside` alone, else 0."""
    window = 2 * (DILATION + RADIUS) + 1
    return (box_sum(1 - inside, window) < 0.5).to(inside.dtype)
