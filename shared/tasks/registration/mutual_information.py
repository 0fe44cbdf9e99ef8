"""Mutual information, from a joint histogram that has a gradient."""

import torch
from torch import Tensor

BINS, EDGE = 32, 2  # of which so many at either end are there for what the windows of the first and last value reach
LEAST = 1e-12  # a share of voxels, added where its logarithm is taken


def mutual_information_loss(a: Tensor, b: Tensor, *, inside: Tensor | None = None) -> Tensor:
    """Minus the mutual information, in nats, of images (B, 1, *S) from 0 to 1; the mean over the batch.

    Values of `a` are counted in windows of cubic B-splines, those of `b` in plain bins: `a` alone, the image that is
    moved, has a gradient. inside: (B, 1, *S), 1 where voxels count and 0 elsewhere; with none of them it is 0.
    Computed in float32 under autocast too, and summed in float64.
    Source: Mattes et al., IEEE TMI 22 (2003), sec. II-B; Thévenaz and Unser, IEEE TIP 9 (2000).
    """
    joint = _joint_histogram(a, b, inside)
    joint = joint / joint.sum(dim=(1, 2), keepdim=True).clamp(min=1)
    apart = joint.sum(dim=1, keepdim=True) * joint.sum(dim=2, keepdim=True)
    information = joint * ((joint + LEAST) / (apart + LEAST)).log()
    return -information.sum(dim=(1, 2)).mean().to(torch.promote_types(a.dtype, torch.float32))


def _joint_histogram(a: Tensor, b: Tensor, inside: Tensor | None) -> Tensor:
    """Counts (B, BINS of b, BINS of a), float64."""
    first, weights = _windows(a.flatten(1))
    rows = (b.flatten(1).clamp(0, 1) * (BINS - 1)).round().long()
    rows = rows + BINS * torch.arange(len(b), device=b.device)[:, None]
    places = torch.stack([rows * BINS + first + i for i in range(len(weights))])
    counts = weights if inside is None else weights * inside.flatten(1)
    empty = torch.zeros(len(a) * BINS * BINS, dtype=torch.float64, device=a.device)
    return empty.index_add(0, places.flatten(), counts.flatten().double()).reshape(len(a), BINS, BINS)


def _windows(values: Tensor) -> tuple[Tensor, Tensor]:
    """The first of the four bins that each of (B, N) values counts in, and how much in each of them, (4, B, N)."""
    values = values if values.dtype == torch.float64 else values.float()
    places = EDGE + values.clamp(0, 1) * (BINS - 1 - 2 * EDGE)
    below = places.detach().floor()
    x = places - below
    weights = [(1 - x) ** 3, 3 * x**3 - 6 * x**2 + 4, 3 * (x + x**2 - x**3) + 1, x**3]
    return below.long() - 1, torch.stack(weights) / 6
