"""Random contrasts: sides alike, tissues as much alike as they may be, and black where a scan shows nothing."""

from typing import Any

import torch

from shared.synthesis.labels import Labels
from shared.synthesis.painting import Contrast, random_contrast
from shared.synthesis.ranges import Ranges

LABELS = Labels.make(
    [0, 2, 41, 3, 4, 507],
    learned=[0, 2, 41],
    sides={2: 41},
    merged={},
    tissues={"brain": [2, 3], "CSF": [4]},
    contrasts={"T1": {2: 190, 3: 120, 4: 40}, "T2": {2: 80, 3: 115, 4: 220}},
)
BACKGROUND, WHITE_LEFT, GRAY, CSF, WHITE_RIGHT, SKIN = range(6)


def contrasts(count: int, *, weighted: float = 0.0, **ranges: Any) -> Contrast:
    """Of each label, (count, K)."""
    ranges["weighted"] = weighted
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


def test_a_known_contrast_without_strangeness_is_one_of_them_inside_and_random_outside() -> None:
    means = contrasts(200, weighted=1.0, strangeness=0.0, skull_strip=0.0).means
    inside = {tuple(row) for row in means[:, [WHITE_LEFT, WHITE_RIGHT, GRAY, CSF]].tolist()}
    assert inside == {(190, 190, 120, 40), (80, 80, 115, 220)}
    assert len(means[:, SKIN].unique()) == 200


def test_strangeness_moves_a_known_contrast_towards_random_ones() -> None:
    """With a share s uniform up to 0.5, a mean is at most 0.5 of the range away: never bright CSF in T1, dark in T2."""
    means = contrasts(1000, weighted=1.0, strangeness=0.5).means
    csf = means[:, CSF]
    likes_t1 = csf < 135  # (40 + 225) / 2 is the most of T1; (220 + 25) / 2 = 122 the least of T2
    assert 0.4 < likes_t1.float().mean() < 0.6  # half of them, standard error 0.016, and few of T2 below 135
    assert ((csf >= 32) & (csf <= 222.5)).all()
    assert csf.unique().numel() == 1000


def test_as_many_begin_from_a_known_contrast_as_asked() -> None:
    csf = contrasts(1000, weighted=0.3, strangeness=0.0).means[:, CSF]
    assert abs(torch.isin(csf, torch.tensor([40.0, 220.0])).float().mean() - 0.3) < 0.05  # standard error 0.0145
