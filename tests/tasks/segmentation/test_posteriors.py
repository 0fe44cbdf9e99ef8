"""What is made of the probabilities of many classes: label maps, volumes, how sure they are, and connected parts."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from shared.tasks.segmentation.posteriors import expected_dice, keep_largest_parts, keep_what_is_near


def random_probabilities(classes: int, shape: tuple[int, ...], *, sharpness: float = 20.0) -> np.ndarray:
    """(classes, *shape), sums of 1, smooth, with the first class around the others."""
    rng = np.random.default_rng(0)
    logits = np.stack([gaussian_filter(rng.normal(size=shape), 1.5) for _ in range(classes)]) * sharpness
    border = np.ones(shape, dtype=bool)
    border[(slice(3, -3),) * 3] = False
    logits[0][border] += 20
    values = np.exp(logits - logits.max(axis=0))
    return (values / values.sum(axis=0)).astype(np.float32)


def test_the_dice_is_what_probabilities_make_likely() -> None:
    # Four voxels: two are said to be class 1, with 0.9 and 0.6, and it has 0.2 in a third.
    first = np.array([0.9, 0.6, 0.2, 0.0])
    dice = expected_dice(np.stack([1 - first, first, 0 * first]).reshape(3, 4, 1, 1))
    # Twice what is likely right, by voxels labelled and voxels likely there: 2 (0.9 + 0.6) / (2 + 1.7).
    np.testing.assert_allclose(dice, [2 * 1.8 / (2 + 2.3), 3.0 / 3.7, 0])


def test_the_dice_that_probabilities_make_likely_is_what_labels_drawn_from_them_have() -> None:
    probabilities = random_probabilities(4, (24, 24, 24), sharpness=8)
    expected = expected_dice(probabilities)
    labels = probabilities.argmax(axis=0)
    draws = np.random.default_rng(3).uniform(size=labels.shape)
    drawn = (probabilities.cumsum(axis=0) < draws).sum(axis=0)
    for index, dice in enumerate(expected):
        found = 2 * ((labels == index) & (drawn == index)).sum() / ((labels == index).sum() + (drawn == index).sum())
        # Of thousands of voxels, each right or wrong by chance: a standard error of 0.01.
        assert found == pytest.approx(dice, abs=0.03)


def test_a_class_keeps_its_largest_part_and_the_others_share_what_it_loses() -> None:
    probabilities = np.zeros((3, 10, 6, 6), dtype=np.float32)
    probabilities[0] = 1
    for part in (slice(1, 4), slice(6, 8)):  # 3 and 2 slices thick
        probabilities[:, part, 1:5, 1:5] = np.array([0.1, 0.6, 0.3])[:, None, None, None]
    keep_largest_parts(probabilities)
    np.testing.assert_allclose(probabilities[:, 2, 2, 2], [0.1, 0.6, 0.3])
    np.testing.assert_allclose(probabilities[:, 7, 2, 2], [0.25, 0, 0.75])
    np.testing.assert_allclose(probabilities.sum(axis=0), 1, atol=1e-6)


@pytest.mark.parametrize("kept", [(0,), (0, 1)])
def test_a_part_of_which_nothing_else_is_thought_becomes_background_unless_the_class_is_scattered(kept: tuple) -> None:
    probabilities = np.zeros((2, 9, 3, 3), dtype=np.float32)
    probabilities[1, 1:4] = probabilities[1, 6] = 1
    probabilities[0] = 1 - probabilities[1]
    keep_largest_parts(probabilities, but=kept)
    assert bool(probabilities[1, 6].all()) == (1 in kept)
    np.testing.assert_array_equal(probabilities.sum(axis=0), 1)
    assert probabilities[1, 1:4].all()


def test_what_is_far_from_the_largest_part_of_all_classes_becomes_background() -> None:
    probabilities = np.zeros((3, 12, 3, 3), dtype=np.float32)
    probabilities[1, 1:4] = 1  # the main part, of planes 2 mm apart
    probabilities[2, [4, 6, 9]] = 1  # 2, 6 and 12 mm from it, of a class that is not of that part
    probabilities[1, 11] = 0.6  # a stray part, 16 mm away
    probabilities[0] = 1 - probabilities.sum(axis=0)
    keep_what_is_near(probabilities, within=6.0, spacing=(2.0, 1.0, 1.0), but=(0, 2))
    assert probabilities[2].all(axis=(1, 2)).nonzero()[0].tolist() == [4, 6]
    assert probabilities[1].any(axis=(1, 2)).nonzero()[0].tolist() == [1, 2, 3]
    np.testing.assert_array_equal(probabilities.sum(axis=0), 1)
    nothing = np.stack([np.ones((3, 3, 3)), np.zeros((3, 3, 3))])
    keep_what_is_near(nothing, within=6.0, spacing=(1.0, 1.0, 1.0))
    assert nothing[0].all()


def test_voxels_that_share_a_corner_are_one_part() -> None:
    probabilities = np.zeros((2, 4, 4, 4), dtype=np.float32)
    probabilities[1, 1, 1, 1] = probabilities[1, 2, 2, 2] = 1
    probabilities[0] = 1 - probabilities[1]
    keep_largest_parts(probabilities)
    assert probabilities[1].sum() == 2
