"""Borders of a ball and its core, which a network sees a voxel aside, follow what the image shows."""

import pytest
import torch
from torch import Tensor

from shared.engine.intensities import Intensities, centres

SHAPE = (40, 40, 40)
RADII = 15, 9
TISSUES = torch.tensor([0, 1, 2, 2])
MEANS = torch.tensor([0.2, 0.7, 0.45, 0.45])


def places() -> Tensor:
    return torch.stack(torch.meshgrid(*(torch.arange(float(side)) for side in SHAPE), indexing="ij"), dim=-1)


def likely(shift: float = 0.0) -> Tensor:
    """(4, *S), logits: background, a shell, and the two halves of its core, moved a little along two axes."""
    around = places() - 19.5 - torch.tensor([0, shift, shift])
    outer, inner = (radius - around.norm(dim=-1) for radius in RADII)
    half = around[..., 0]
    return torch.stack([-outer, torch.minimum(outer, -inner), torch.minimum(inner, -half), torch.minimum(inner, half)])


TRUTH = likely().argmax(dim=0)


def painted(means: Tensor) -> Tensor:
    noise = torch.randn(SHAPE, generator=torch.Generator().manual_seed(0))
    return means[TRUTH] + 0.05 * noise


def answered(logits: Tensor, image: Tensor, tissues: Tensor = TISSUES, weight: float = 0.5) -> Tensor:
    prior = logits.softmax(dim=0)
    seen = Intensities.fitted(prior, image, tissues, weight)
    return seen.answered(prior, image, [centres(side) for side in SHAPE])


def wrong(probabilities: Tensor) -> int:
    """Voxels that are not given their class."""
    return int((probabilities.argmax(dim=0) != TRUTH).sum())


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(painted(MEANS), id="bright"),
        pytest.param(painted(1 - MEANS), id="dark"),
        pytest.param(painted(MEANS) + places()[..., 1] / 80, id="with a bias field"),
    ],
)
def test_borders_move_to_where_the_image_has_them(image: Tensor) -> None:
    aside = likely(shift=0.7)
    assert wrong(answered(aside, image)) < 0.3 * wrong(aside)


def test_an_image_of_noise_moves_few() -> None:
    noise = torch.rand(SHAPE, generator=torch.Generator().manual_seed(0))
    assert wrong(answered(likely(), noise)) < 0.01 * TRUTH.numel()


def test_classes_of_one_tissue_are_told_apart_by_the_network_alone() -> None:
    logits = likely(shift=0.7)
    prior, found = logits.softmax(dim=0), answered(logits, painted(MEANS))
    doubted = (prior[2:] > 1e-3).all(dim=0)
    torch.testing.assert_close((found[2] / found[3])[doubted], (prior[2] / prior[3])[doubted], rtol=1e-3, atol=0)
    torch.testing.assert_close(found.sum(dim=0), torch.ones(SHAPE))


def test_without_weight_or_doubt_all_stays_as_it_is() -> None:
    doubt, sure = likely(shift=0.7), 1000 * likely(shift=1.3)
    torch.testing.assert_close(answered(doubt, painted(MEANS), weight=0.0), doubt.softmax(dim=0), rtol=0, atol=1e-4)
    torch.testing.assert_close(answered(sure, painted(MEANS), weight=1.0), sure.softmax(dim=0))


def test_a_class_that_is_nowhere_harms_none() -> None:
    logits = torch.cat([likely(shift=0.7), torch.full((1, *SHAPE), -50.0)])
    found = answered(logits, painted(MEANS), torch.tensor([*TISSUES, 3]))
    assert wrong(found) < 0.3 * wrong(logits)
    assert not (found.argmax(dim=0) == 4).any()
