"""Whether two registered images show tissues in one order of brightness, as NCC needs, and how to make it so."""

from collections.abc import Sequence

import torch
from torch import Tensor

from shared.engine.intensities import SURE as CERTAIN
from shared.engine.intensities import USUAL_WEIGHT, Intensities, centres
from shared.layers.smoothing import box_sum, moments
from shared.spatial.warping import resize, resize_displacement, warp
from shared.tasks.registration.similarity import visible

WINDOW, FLAT = 7, 1e-5  # voxels wide; a variance that hardly counts, of images from 0 to 1
SEEN = 2  # what is compared of images is this many voxels wide
LEAST_AGREEMENT = 0.9
SURE, LEAST_MASS = 0.5, 8.0  # of a structure: the probability from which a voxel counts, and the least of such voxels


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


def tissue_correlation(pair: Tensor, maps: Tensor, tissues: Sequence[int]) -> float:
    """How the mean intensities of `tissues` in one image correlate with those in the other, from -1 to 1.

    pair: (1, 2, *S), moving and fixed. maps: (2, K, *S'), the probabilities of structures in each. tissues: positions
    among them of what is no fluid, which most sequences show alike. Of two T1-weighted heads it is about 0.9, of
    T1 and FLAIR about 0 (12 pairs). With fewer than three of them in both images it is 0.
    """
    sure = maps[:, list(tissues)] * (maps[:, list(tissues)] > SURE)
    masses = sure.flatten(2).sum(dim=2)
    images = resize(pair, maps.shape[2:])[0]
    means = (sure * images[:, None]).flatten(2).sum(dim=2) / masses.clamp(min=1e-6)
    both = masses.amin(dim=0) > LEAST_MASS
    if int(both.sum()) < 3:
        return 0.0
    return float(torch.corrcoef(means[:, both].double())[0, 1].nan_to_num())


def in_one_contrast(pair: Tensor, shares: Tensor) -> Tensor | None:
    """What both images of a pair (1, 2, *S) look like where each tissue has the mean that it has in the moving one.

    shares: (2, T, *S'), the probabilities of tissues in each, background first, perhaps coarser; in the result they
    follow the image as well (see `Intensities`). None where nothing but background is likely in one of the images.
    """
    shares, images, size = shares.float().cpu(), pair[0].float().cpu(), pair.shape[2:]
    if not (shares[:, 0] < CERTAIN).flatten(1).any(dim=1).all():
        return None
    each, places = torch.arange(shares.shape[1]), [centres(side) for side in size]
    coarse = resize(images[None], shares.shape[2:])[0]
    fits = [Intensities.fitted(share, image, each, USUAL_WEIGHT) for share, image in zip(shares, coarse)]
    means = fits[0].mean * fits[0].spread + fits[0].centre
    seen = [
        torch.tensordot(means, fit.answered(resize(share, size)[0], image, places), dims=1)
        for fit, share, image in zip(fits, shares.split(1), images)
    ]
    return torch.stack(seen)[None].to(pair)
