"""Borders that follow the image: what a network makes likely is the prior of a mixture of Gaussians, one a tissue.

A network that learned from images of any contrast knows where structures lie better than where their edges are; in one
image each tissue has an intensity of its own. Expectation and maximisation in turns fit those and a smooth bias field,
as in Ashburner and Friston's unified segmentation (NeuroImage 26, 2005), the network in place of the atlas.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

SURE = 0.98  # of a voxel whose class is at least as likely, the image is not asked
USUAL_WEIGHT = 0.6  # of six T1 and four FLAIR heads, at 2 mm, the best
STEPS = 6
DEGREE = 3  # of the polynomial that is the bias field
LEAST_SD = 0.1  # of a tissue, of that of all voxels
PRIOR_VOXELS = 20.0  # as many voxels of the usual variance are added to each tissue's own


@dataclass(frozen=True)
class Intensities:
    """What each of T tissues looks like in one image, 2D or 3D.

    tissues: (C,), the number of each class's tissue, background (0) among them. weight: the power of the likelihood, up
    to 1; less than that makes up for neighbours that are not independent. mean, variance: (T,), of values less
    `centre`, divided by `spread`, and less the bias field. field: (DEGREE + 1, …), the factor of each product of powers
    of the places along the axes in it.
    """

    tissues: Tensor
    weight: float
    mean: Tensor
    variance: Tensor
    centre: Tensor
    spread: Tensor
    field: Tensor

    @classmethod
    def fitted(cls, prior: Tensor, seen: Tensor, tissues: Tensor, weight: float) -> "Intensities":
        """To an image (*S) of which a network makes (C, *S) likely, near what is not background."""
        near = prior[0] < SURE
        given = F.one_hot(tissues).T.to(prior) @ prior[:, near]  # (T, N)
        best, doubt = given.amax(dim=0), given.clamp_min(1e-6).log()
        unsure = best < SURE
        centre, spread = seen[near].mean(), seen[near].std(correction=0).clamp_min(1e-6)
        values = (seen[near] - centre) / spread
        exponents = [p for p in product(range(DEGREE + 1), repeat=seen.ndim) if sum(p) <= DEGREE]
        basis = torch.ones(len(values), len(exponents))
        for side, at, exponent in zip(seen.shape, near.nonzero(as_tuple=True), zip(*exponents)):
            basis *= powers(centres(side))[at][:, exponent]
        shares, flat = given, values
        for _ in range(STEPS):
            mean, variance = _moments(flat, shares)
            field = _smooth_part(values, mean, variance, shares.index_fill(0, tissues[:1], 0), basis)
            flat = values - basis @ field
            likely = log_likelihood(flat, mean, variance)
            shares = torch.where(unsure, (doubt + weight * likely).softmax(dim=0), given)
        cube = torch.zeros([DEGREE + 1] * seen.ndim).index_put(tuple(torch.tensor([*zip(*exponents)])), field)
        return cls(tissues, weight, mean, variance, centre, spread, cube)

    def answered(self, prior: Tensor, image: Tensor, places: Sequence[Tensor]) -> Tensor:
        """What is likely, (C, *S), given the image (*S) as well as `prior`, (C, *S), sums of 1.

        places: of each axis, (side,), where its voxels lie from -1 to 1, the ends of the image that it was fitted to.
        """
        unsure = (prior.amax(dim=0) < SURE) & (prior[0] < SURE)
        bias = self.field
        for at in places:
            bias = torch.tensordot(bias, powers(at), dims=([0], [1]))
        flat = ((image.float() - self.centre) / self.spread - bias)[unsure]
        likely = log_likelihood(flat, self.mean, self.variance)[self.tissues]
        answer = prior.clone()
        answer[:, unsure] = (prior[:, unsure].clamp_min(1e-6).log() + self.weight * likely).softmax(dim=0)
        return answer


def log_likelihood(values: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    """(T, N), but for a constant, of values (N,) in each of T tissues."""
    return -((values - mean[:, None]).square() / variance[:, None] + variance.log()[:, None]) / 2


def centres(count: int) -> Tensor:
    """(count,): where the voxels of a line lie whose ends are -1 and 1."""
    return (torch.arange(count) + 0.5) * 2 / count - 1


def powers(places: Tensor) -> Tensor:
    """(N, DEGREE + 1)."""
    return places[:, None] ** torch.arange(DEGREE + 1)


def _moments(values: Tensor, shares: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance, (T,) each, of values (N,) of which each tissue has a share, (T, N)."""
    count = shares.sum(dim=1).clamp_min(1e-3)
    mean = shares @ values / count
    variance = shares @ values.square() / count - mean.square()
    variance = (variance * count + variance.median() * PRIOR_VOXELS) / (count + PRIOR_VOXELS)
    return mean, variance.clamp_min(LEAST_SD**2)


def _smooth_part(values: Tensor, mean: Tensor, variance: Tensor, shares: Tensor, basis: Tensor) -> Tensor:
    """How much of each of `basis`, (N, terms), explains best how `values` differ from what the tissues have."""
    precisions = shares / variance[:, None]
    precision = precisions.sum(dim=0)
    expected = mean @ precisions / precision.clamp_min(1e-6)
    weighted = basis * precision[:, None]
    ridge = 1e-3 * precision.mean() * torch.eye(basis.shape[1])
    return torch.linalg.solve(weighted.T @ basis + ridge, weighted.T @ (values - expected))
