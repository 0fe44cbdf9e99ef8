"""What a scanner does to intensities: a bias field, another contrast curve, less than all of the head."""

import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from shared.synthesis.ranges import Ranges
from shared.synthesis.shape import knots_of, smooth_field, uniform

SCALED_FROM, SCALED_TO = 0.005, 0.995  # quantiles that become 0 and 1, as where real images are read
STRIDE = 7  # of the voxels that quantiles are taken of: a prime, so that no axis of usual size is aliased


def random_bias(size: Sequence[int], spacing: float, ranges: Ranges, rng: Generator) -> Tensor:
    """(*size): a smooth positive factor. Source: Billot et al. 2023, sec. 3.2.3."""
    deviation = float(uniform(0, ranges.bias, [1], rng))
    return torch.exp(deviation * smooth_field(1, size, knots_of(size, spacing, ranges.bias_spacing), rng)[0, 0])


def random_gamma(image: Tensor, ranges: Ranges, rng: Generator) -> Tensor:
    """`image`, of 0 to 1, to the power of a random exponent. Source: Billot et al. 2023, sec. 3.2.3."""
    exponent = math.exp(ranges.gamma * float(torch.randn(1, generator=rng, device=rng.device)))
    return image**exponent


def scaled(image: Tensor) -> Tensor:
    """`image` with its 0.5 % and 99.5 % quantiles at 0 and 1, clipped there, as real images are."""
    few = image.flatten()[::STRIDE].sort().values
    low, high = (few[round(q * (len(few) - 1))] for q in (SCALED_FROM, SCALED_TO))
    return ((image - low) / (high - low).clamp(min=1e-6)).clamp(0, 1)


def random_view(size: Sequence[int], ranges: Ranges, rng: Generator) -> tuple[slice, ...]:
    """The part of a volume of `size` that a scan shows: all of it, or less along one axis."""
    view = [slice(0, s) for s in size]
    if float(uniform(0, 1, [1], rng)) < ranges.crop:
        axis = int(uniform(0, len(size), [1], rng))
        cut = int(size[axis] * float(uniform(0, ranges.crop_share, [1], rng)))
        start = int(uniform(0, cut + 1, [1], rng))
        view[axis] = slice(start, size[axis] - cut + start)
    return tuple(view)
