"""How far two runtimes' outputs are apart."""

import numpy as np
import pytest

from shared.export.files import compare

NAMES = ("boxes", "scores", "labels", "number")
FOUND = [
    np.array([[[0, 0, 10, 10], [20, 20, 30, 30], [0, 20, 10, 30], [0, 0, 0, 0]]], np.float32),
    np.array([[0.9, 0.8, 0.2, 0]], np.float32),  # the third is not half as sure as the first
    np.array([[0, 1, 0, 0]]),
    np.array([3]),
]


def changed(**changes: object) -> list[np.ndarray]:
    return [np.asarray(changes.get(name, values)) for name, values in zip(NAMES, FOUND)]


def test_arrays_are_compared_in_shares_of_their_channels_largest_value_or_of_a_half() -> None:
    expected = np.zeros((1, 3, 2), np.float32)
    expected[0, 0, 0], expected[0, 1, 0] = -200, 0.01
    actual = expected.copy()
    assert compare(["pred"], [expected], [actual]) == 0
    actual[0, 0, 1] += 1
    assert compare(["pred"], [expected], [actual]) == pytest.approx(1 / 200)
    actual[0, 1, 1] += 0.05
    assert compare(["pred"], [expected], [actual]) == pytest.approx(0.05 / 0.5)


def test_detections_are_alike_in_any_order() -> None:
    order = [1, 0, 2, 3]
    assert compare(NAMES, FOUND, [x if x.ndim == 1 else x[:, order] for x in FOUND]) == pytest.approx(0, abs=1e-6)


def test_a_sure_detection_that_is_missing_or_too_many_counts_and_an_unsure_one_does_not() -> None:
    without = FOUND[1].copy()
    without[0, 2] = 0
    assert compare(NAMES, FOUND, changed(scores=without)) == pytest.approx(0, abs=1e-6)
    elsewhere = FOUND[0].copy()
    elsewhere[0, 1] += 40
    assert compare(NAMES, FOUND, changed(boxes=elsewhere)) == pytest.approx(1)
    assert compare(NAMES, changed(boxes=elsewhere), FOUND) == pytest.approx(1)
    assert compare(NAMES, FOUND, changed(labels=[[0, 0, 0, 0]])) == pytest.approx(1)


def test_boxes_and_scores_that_moved_a_little_count_by_how_much() -> None:
    moved = FOUND[0].copy()
    moved[0, 0, [0, 2]] += 1  # of 100 pixels 90 are common, of 110
    assert compare(NAMES, FOUND, changed(boxes=moved)) == pytest.approx(1 - 90 / 110, abs=1e-6)
    assert compare(NAMES, FOUND, changed(scores=[[0.9, 0.7, 0.2, 0]])) == pytest.approx(0.1, abs=1e-6)
