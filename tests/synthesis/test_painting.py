"""Random contrasts: sides alike, tissues as much alike as they may be, and black where a scan shows nothing."""

from typing import Any

import torch

from shared.synthesis.labels import Labels
from shared.synthesis.painting import Contrast, random_contrast
from shared.synthesis.ranges import Ranges

LABELS = Labels.make(
    [0, 2, 41, 3, 4, 507], learned=[0, 2, 41], sides={2: 41}, merged={}, tissues={"brain": [2, 3], "CSF": [4]}
)
BACKGROUND, WHITE_LEFT, GRAY, CSF, WHITE_RIGHT, SKIN = range(6)


def contrasts(count: int, **ranges: Any) -> Contrast:
    """Of each label, (count, K)."""
    drawn = [random_contrast(LABELS, Ranges(**ranges), torch.Generator().manual_seed(seed)) for seed in range(count)]
    return Contrast(torch.stack([c.means for c in drawn]), torch.stack([c.deviations for c in drawn]))


def test_both_sides_have_one_gaussian() -> None:
    drawn = contrasts(20)
    assert torch.equal(drawn.means[:, WHITE_LEFT], drawn.means[:, WHITE_RIGHT])
    assert torch.equal(drawn.deviations[:, WHITE_LEFT], drawn.deviations[:, WHITE_RIGHT])


def test_means_of_labels_alone_are_uniform_and_unrelated() -> None:
    drawn = contrasts(2000, kinship=0.0).means
    white, gray = drawn[:, WHITE_LEFT], drawn[:, GRAY]
    assert 25 <= white.min() < 30
    assert 220 < white.max() <= 225
    # Standard error of the mean of 2000 numbers uniform over 200: 200 / sqrt(12 * 2000) = 1.3.
    assert abs(white.mean() - 125) < 4
    # Of the correlation of unrelated ones: 1 / sqrt(2000) = 0.022.
    assert abs(torch.corrcoef(torch.stack([white, gray]))[0, 1]) < 0.07


def test_a_tissue_may_look_alike() -> None:
    """Kinship uniform up to 1: labels of a tissue correlate, those of two tissues do not."""
    drawn = contrasts(2000, kinship=1.0).means
    matrix = torch.corrcoef(drawn[:, [WHITE_LEFT, GRAY, CSF]].T)
    assert matrix[0, 1] > 0.4  # E k^2 / (E k^2 + E (1 - k)^2) = 0.5
    assert matrix[0, 2].abs() < 0.07


def test_deviations_stay_within_their_range() -> None:
    drawn = contrasts(500).deviations[:, GRAY]
    assert 5 <= drawn.min() < 6
    assert 24 < drawn.max() <= 25


def test_what_is_outside_is_black_as_often_as_asked() -> None:
    drawn = contrasts(1000, dark_background=0.8, skull_strip=0.25)
    black = drawn.means == 0
    assert torch.equal(black, drawn.deviations == 0)
    # 1000 draws: standard errors 0.013; a stripped head has a black background, too: 1 - 0.2 * 0.75 = 0.85.
    assert abs(black[:, BACKGROUND].float().mean() - 0.85) < 0.04
    assert abs(black[:, SKIN].float().mean() - 0.25) < 0.045
    assert not black[:, [WHITE_LEFT, GRAY, CSF]].any()
