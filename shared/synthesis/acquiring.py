"""Random acquisition: how a scanner of thick or wide-set slices would have seen an image."""

import torch
from torch import Generator, Tensor

from shared.synthesis.ranges import Ranges
from shared.synthesis.shape import uniform


def acquire(image: Tensor, spacing: float, ranges: Ranges, rng: Generator) -> Tensor:
    """`image`, (*S) of `spacing` mm, as a random scan with random noise shows it, resampled back onto its grid.

    Every axis gets the same resolution, or one axis thick slices; a scan finer than `image` leaves it sharp.
    Source: Billot et al. 2023, sec. 3.2.4, and its published code.
    """
    sizes, backs = image.shape, []
    for axis, step in enumerate(_random_steps(image.ndim, spacing, ranges, rng)):
        if step <= spacing:
            continue
        offset, thickness, wide = (
            float(uniform(low, high, [1], rng))
            for low, high in ((0, step / 2), (min(spacing, step), step), ranges.profile)
        )
        seen = slice_profile(sizes[axis], spacing, step=step, offset=offset, deviation=wide * thickness)
        backs.append((axis, between_slices(sizes[axis], spacing, step=step, offset=offset, slices=len(seen))))
        image = along(seen.to(image), image, axis)
    strength = float(uniform(0, ranges.noise, [1], rng))
    image = image + strength * torch.randn(image.shape, generator=rng, device=image.device)
    for axis, back in backs:
        image = along(back.to(image), image, axis)
    return image


def _random_steps(dims: int, spacing: float, ranges: Ranges, rng: Generator) -> list[float]:
    """The distance in mm of a scan's voxels along each axis."""
    if float(uniform(0, 1, [1], rng)) < 0.5:
        return [float(uniform(0.5 * spacing, ranges.thin_slices, [1], rng))] * dims
    thick = int(uniform(0, dims, [1], rng))
    step = float(uniform(0.5 * spacing, ranges.thick_slices, [1], rng))
    return [step if axis == thick else 0.0 for axis in range(dims)]


def slice_profile(size: int, spacing: float, *, step: float, offset: float, deviation: float) -> Tensor:
    """(M, size): what each of M slices, `step` apart, sees of the `size` voxels of `spacing` along an axis, all in mm.

    offset: of the first slice from the first voxel. deviation: of the Gaussian profile of a slice. Rows sum to 1.
    """
    slices = torch.arange(offset, (size - 1) * spacing + 1e-3, step)
    distances = torch.arange(size) * spacing - slices[:, None]
    profile = torch.exp(-0.5 * (distances / max(deviation, 0.3 * spacing)) ** 2)
    return profile / profile.sum(dim=1, keepdim=True)


def between_slices(size: int, spacing: float, *, step: float, offset: float, slices: int) -> Tensor:
    """(size, slices): linear interpolation from the slices of `slice_profile` back to the voxels; rows sum to 1."""
    at = ((torch.arange(size) * spacing - offset) / step).clamp(0, slices - 1)
    return (1 - (at[:, None] - torch.arange(slices)).abs()).clamp(min=0)


def along(matrix: Tensor, image: Tensor, axis: int) -> Tensor:
    """`matrix` (M, N) applied to the axis of N voxels of `image`."""
    return torch.tensordot(matrix, image, dims=([1], [axis])).movedim(0, axis)
