"""Fusing what several atlases say of a voxel into how likely each label is."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import SimpleITK as sitk
import torch

from shared.atlases.joint import joint_weights
from shared.errors import InputError
from shared.layers.smoothing import box_sum, moments

WINDOW = 5  # voxels, within which a moved atlas is compared with its target
GAIN = 2  # power of the similarities, by which the most similar atlases decide
LEAST = 1e-6  # weight of an atlas, so that there is a majority where none is similar
STAPLE_ITERATIONS = 100


class Carried(NamedTuple):
    """Atlases on the grid of their target.

    target: (*S), float32. images: (N, *S), float32, the atlases. votes: (N, *S), the label of each, as a number from 0
    to `number` - 1.
    """

    target: np.ndarray
    images: np.ndarray
    votes: np.ndarray
    number: int


def fusion_named(name: str) -> Callable[[Carried], np.ndarray]:
    """What gives the probabilities, (number, *S), float32. Raises InputError for an unknown name."""
    if name not in FUSIONS:
        raise InputError("--fusion", expected=f"one of {', '.join(FUSIONS)}", got=repr(name), fix="choose one of these")
    return FUSIONS[name]


def majority(carried: Carried) -> np.ndarray:
    """The share of atlases that vote for each label."""
    return _shares(carried, np.ones(carried.votes.shape, dtype=np.float32))


def weighted(carried: Carried) -> np.ndarray:
    """Votes weighted by how similar each atlas is to the target around the voxel.

    Source: Artaechevarria et al., IEEE TMI 28 (2009), local weighting by a power of the normalised cross-correlation.
    """
    similarity = local_correlation(carried.images, carried.target)
    return _shares(carried, similarity**GAIN + LEAST)


def joint(carried: Carried) -> np.ndarray:
    """Votes weighted so that errors that atlases have in common count once; see `joint_weights`.

    Weights may be below 0; a probability is not.
    """
    weights, votes = joint_weights(*carried[:3])
    shares = _shares(carried._replace(votes=votes), weights).clip(min=0)
    return shares / shares.sum(axis=0)


def staple(carried: Carried) -> np.ndarray:
    """How likely each label is if each atlas confuses labels as it does where all of them are compared.

    ITK finds how often an atlas votes for each label where another is the true one; the probabilities follow from that.
    Source: Rohlfing et al., IPMI 2003, SimpleITK's MultiLabelSTAPLEImageFilter; Warfield et al., IEEE TMI 23 (2004),
    eq. 14.
    """
    votes, number = carried.votes, carried.number
    prior = np.bincount(votes.ravel(), minlength=number) / votes.size
    method = sitk.MultiLabelSTAPLEImageFilter()
    method.SetMaximumNumberOfIterations(STAPLE_ITERATIONS)
    method.SetPriorProbabilities(prior.tolist())
    method.Execute([sitk.GetImageFromArray(vote.astype(np.uint16)) for vote in votes])
    evidence = np.log(prior).reshape(-1, *[1] * carried.target.ndim)
    for k, vote in enumerate(votes):
        confusion = np.reshape(method.GetConfusionMatrix(k), (-1, number))  # voted for (row), true label (column)
        evidence = evidence + np.moveaxis(np.log(confusion.clip(min=1e-12))[vote], -1, 0)
    likely = np.exp(evidence - evidence.max(axis=0))
    return (likely / likely.sum(axis=0)).astype(np.float32)


FUSIONS = {"majority": majority, "weighted": weighted, "staple": staple, "joint": joint}


def local_correlation(images: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The correlation, from 0 to 1, of each of `images`, (N, *S), with `target`, (*S), in windows around each voxel."""
    a, b = (torch.as_tensor(x, dtype=torch.float64)[:, None] for x in (images, target[None]))
    seen = moments(a, b.expand_as(a), WINDOW, count=box_sum(torch.ones_like(b), WINDOW))
    correlation = seen.covariance / (seen.variance_a * seen.variance_b).sqrt().clamp(min=1e-12)
    return correlation.clamp(0, 1)[:, 0].float().numpy()


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """The normalised cross-correlation of two images of any shape; 0 where one of them has a single value."""
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / max(np.sqrt((a * a).sum() * (b * b).sum()), 1e-12))


def _shares(carried: Carried, weights: np.ndarray) -> np.ndarray:
    """(number, *S), float32: of the sum of `weights`, (N, *S), the share of those who vote for each label."""
    sums = [np.where(carried.votes == label, weights, 0).sum(axis=0) for label in range(carried.number)]
    return np.stack(sums).astype(np.float32) / weights.sum(axis=0)
