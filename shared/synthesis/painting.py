"""Random contrast: what intensity each label has in a synthetic image."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor

from shared.synthesis.labels import Labels
from shared.synthesis.ranges import Ranges
from shared.synthesis.shape import uniform

OUTSIDE = -1
FEWEST, MOST = 2, 8  # tissues that the outside of an organ may be made of, where it is not one for each label


@dataclass(frozen=True)
class Contrast:
    """The Gaussian of each label, (K,) each, for intensities of 0 to 255."""

    means: Tensor
    deviations: Tensor


def random_contrast(labels: Labels, ranges: Ranges, rng: Generator) -> Contrast:
    """A Gaussian for each paint of `labels`, whose mean lies between one of its own and that of its tissue.

    Source: Billot et al. 2023, sec. 3.2.2. Differs: tissues may be more or less alike, and means near those of a known
    sequence; see `Ranges`.
    """
    paints = int(labels.paints.max()) + 1
    tissues = _random_tissues(labels, rng)
    share = float(uniform(0, ranges.kinship, [1], rng))
    own = uniform(*ranges.mean, [paints], rng).cpu()[labels.paints]
    common = uniform(*ranges.mean, [int(tissues.max()) + 1], rng).cpu()[tissues]
    means = _towards_known((1 - share) * own + share * common, labels, ranges, rng)
    deviations = uniform(*ranges.deviation, [paints], rng).cpu()[labels.paints]
    outside = torch.as_tensor(labels.tissues == OUTSIDE)
    black = torch.zeros(len(labels.ids), dtype=torch.bool)
    if float(uniform(0, 1, [1], rng)) < ranges.dark_background:
        black[0] = True
    if float(uniform(0, 1, [1], rng)) < ranges.skull_strip:
        black |= outside
    return Contrast(*(torch.where(black, 0.0, x).to(rng.device) for x in (means, deviations)))


def _towards_known(means: Tensor, labels: Labels, ranges: Ranges, rng: Generator) -> Tensor:
    """`means` (K,), as often as `ranges` say moved towards those of one of the known contrasts, where it has them."""
    begins, which, strange = uniform(0, 1, [3], rng).tolist()
    if not len(labels.known) or begins >= ranges.weighted:
        return means
    known = torch.as_tensor(labels.known[int(which * len(labels.known))])
    share = strange * ranges.strangeness
    return torch.where(known.isnan(), means, (1 - share) * known + share * means)


def _random_tissues(labels: Labels, rng: Generator) -> np.ndarray:
    """(K,): the tissue of each label; what is outside of the organ is put together at random."""
    inside = int(labels.tissues.max()) + 1
    count = int(uniform(FEWEST, MOST, [1], rng))
    drawn = torch.randint(inside, inside + count, [len(labels.ids)], generator=rng, device=rng.device)
    return np.where(labels.tissues == OUTSIDE, drawn.cpu().numpy(), labels.tissues)
