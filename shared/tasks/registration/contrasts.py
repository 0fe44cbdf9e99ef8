"""Whether two registered images show tissues in one order of brightness, as NCC needs."""

import torch
from torch import Tensor

from shared.layers.smoothing import box_sum, moments
from shared.spatial.warping import resize, resize_displacement, warp
from shared.tasks.registration.similarity import visible

WINDOW, FLAT = 7, 1e-5  # voxels wide; a variance that hardly counts, of images from 0 to 1
SEEN = 2  # what is compared of images is this many voxels wide
LEAST_AGREEMENT = 0.9


def agreement(a: Tensor, b: Tensor, inside: Tensor | None = None) -> float:
    """How much of two images' squared correlation in windows is of one sign, from 0 to 1. Both are (B, 1, *S).

    1 for images of one contrast, and for one and its negative, which NCC registers as well; lower where some edges go
    the same way in both and others the opposite way: NCC lays edges onto one another that do not belong together.
    inside: (B, 1, *S), 1 where voxels count; windows with others are left out.
    """
    seen = moments(a, b, WINDOW, count=box_sum(torch.ones_like(a[:1]), WINDOW))
    squared = seen.covariance**2 / ((seen.variance_a + FLAT) * (seen.variance_b + FLAT))
    if inside is not None:
        squared = squared * (box_sum(1 - inside, WINDOW) < 0.5)
    return float((seen.covariance.sign() * squared).sum().abs() / squared.sum().clamp(min=FLAT))


def contrast_warning(pair: Tensor, displacement: Tensor) -> str:
    """A line about a pair (B, 2, *S) that NCC registered by `displacement` (B, D, *S) though its contrasts are unlike.

    It is empty where they are alike. A third channel of the pair is 1 where the moving image is.
    """
    size = [max(2, s // SEEN) for s in pair.shape[2:]]
    moving, fixed, *inside = resize(pair, size).split(1, dim=1)
    displacement = resize_displacement(displacement, size)
    seen = visible(inside[0], displacement) if inside else None
    found = agreement(warp(moving, displacement), fixed, seen)
    if found >= LEAST_AGREEMENT:
        return ""
    return (
        f"expected images of one contrast for --similarity ncc, got edges of which {100 * found:.0f} %, net, go one way"
        " in both; look at the figure, and add --similarity mind"
    )
