"""Where the voxels of a synthetic image lie in its label map: a random affine map after a random smooth deformation."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from shared.spatial.warping import integrate, resize_displacement
from shared.synthesis.ranges import Ranges

LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}  # torch's names, by dimensions
STRIDE = 2  # deformations are integrated on a grid this much coarser than the image


def uniform(low: float, high: float, size: Sequence[int], rng: Generator) -> Tensor:
    """Numbers of `size` between `low` and `high`."""
    return low + (high - low) * torch.rand(*size, generator=rng, device=rng.device)


def random_affine(dims: int, ranges: Ranges, rng: Generator) -> Tensor:
    """(D, D): a random rotation of a shear of a scaling."""
    scaling = torch.diag(1 + uniform(-ranges.scaling, ranges.scaling, [dims], rng))
    shear = uniform(-ranges.shearing, ranges.shearing, [dims, dims], rng).fill_diagonal_(1.0)
    planes = [(a, b) for a in range(dims) for b in range(a + 1, dims)]
    angles = uniform(-math.radians(ranges.rotation), math.radians(ranges.rotation), [len(planes)], rng)
    rotation = torch.eye(dims, device=rng.device)
    for (a, b), angle in zip(planes, angles.tolist()):
        turn = torch.eye(dims, device=rng.device)
        turn[a, a] = turn[b, b] = math.cos(angle)
        turn[a, b], turn[b, a] = -math.sin(angle), math.sin(angle)
        rotation = turn @ rotation
    return rotation @ shear @ scaling


def smooth_field(channels: int, size: Sequence[int], knots: Sequence[int], rng: Generator) -> Tensor:
    """(1, channels, *size): standard normal numbers on a grid of `knots`, interpolated linearly in between."""
    numbers = torch.randn(1, channels, *knots, generator=rng, device=rng.device)
    return F.interpolate(numbers, size=tuple(size), mode=LINEAR[len(size)], align_corners=True)


def knots_of(size: Sequence[int], spacing: float, knot_spacing: float) -> list[int]:
    """How many knots of `knot_spacing` mm span each axis of a grid of `spacing` mm, two at least."""
    return [max(2, round((s - 1) * spacing / knot_spacing) + 1) for s in size]


def random_deformation(size: Sequence[int], spacing: float, ranges: Ranges, rng: Generator) -> Tensor:
    """(1, D, *size): a smooth displacement, in voxels of `spacing` mm, that can be inverted.

    Source: Billot et al. 2023, sec. 3.2.1: velocities drawn on a coarse grid, integrated by scaling and squaring.
    """
    coarse = [max(2, math.ceil(s / STRIDE)) for s in size]
    deviation = ranges.warp * float(uniform(0, 1, [1], rng)) / (spacing * STRIDE)
    velocity = deviation * smooth_field(len(size), coarse, knots_of(size, spacing, ranges.warp_spacing), rng)
    return resize_displacement(integrate(velocity, steps=5), size)
