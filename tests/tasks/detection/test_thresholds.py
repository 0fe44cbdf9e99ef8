"""Thresholds by class: how they are given, what passes them, and those that count right."""

from typing import Any

import numpy as np
import pytest

from shared.errors import InputError
from shared.tasks.detection.thresholds import OTHERWISE, by_class, counting_right, is_counted, operating_points

NAMES = ["red", "white", "platelet"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (0.3, [0.3, 0.3, 0.3]), ([0.1, 0.2, 0.3], [0.1, 0.2, 0.3]), ((0.5,), [0.5, 0.5, 0.5]), (0, [0, 0, 0]),
        ({"white": 0.2, "red": 0.1, "platelet": 0.7}, [0.1, 0.2, 0.7]),
        ({"white": 0.2}, [OTHERWISE, 0.2, OTHERWISE]),
    ],
)  # fmt: skip
def test_one_number_is_for_all_classes_and_several_are_by_place_or_name(given: Any, expected: list[float]) -> None:
    np.testing.assert_array_equal(by_class(given, NAMES), expected)


def test_a_list_of_another_length_is_refused_in_a_line() -> None:
    with pytest.raises(InputError, match="--threshold: expected one number, or one for each of red, white, platelet"):
        by_class([0.1, 0.2], NAMES)


def objects(*rows: tuple[float, int]) -> np.ndarray:
    return np.array([[0, 0, 9, 9, score, label] for score, label in rows], dtype=np.float32).reshape(-1, 6)


def test_an_object_passes_the_threshold_of_its_own_class() -> None:
    found = objects((0.5, 0), (0.5, 1), (0.5, 2), (0.49, 1))
    assert is_counted(found, np.array([0.6, 0.5, 0.1])).tolist() == [False, True, True, False]
    assert is_counted(found[:0], np.array([0.6, 0.5, 0.1])).shape == (0,)


def test_as_many_pass_the_thresholds_that_count_right_as_there_are_in_all_images_together() -> None:
    found = [objects((0.9, 0), (0.8, 0), (0.3, 1)), objects((0.7, 0), (0.2, 0), (0.6, 1))]
    true = [np.array([[0, 0, 9, 9, 0.0]] * 3 + [[0, 0, 9, 9, 2.0]]), np.array([[0, 0, 9, 9, 1.0]])]
    chosen = counting_right(found, true, 3)
    assert chosen[:2] == pytest.approx([0.7, 0.6], abs=2e-3)  # three of four red ones, one of two white ones
    assert chosen[2] is None  # no platelet was found
    thresholds = by_class({n: c for n, c in zip(NAMES, chosen) if c is not None}, NAMES)
    counted = np.concatenate(found)[is_counted(np.concatenate(found), thresholds)]
    assert np.bincount(counted[:, 5].astype(int), minlength=3).tolist() == [3, 1, 0]


def test_recall_precision_and_bias_are_shares_of_rows_and_columns_of_the_confusions() -> None:
    pairs = np.array([[8, 1, 0, 1], [0, 4, 0, 0], [0, 0, 0, 0], [2, 1, 0, 0]])  # true × found, nothing last
    points = operating_points(pairs, np.array([0.4, 0.5, 0.6]), [0.3, None, None], NAMES)
    red = {"threshold": 0.4, "recall": 0.8, "precision": 0.8, "true": 10, "found": 10, "bias": 0, "counts_right": 0.3}
    assert points["red"] == red
    assert points["white"]["recall"] == 1
    assert points["white"]["precision"] == pytest.approx(4 / 6, abs=1e-4)
    assert points["white"]["bias"] == 0.5  # six found of four
    assert points["platelet"]["recall"] is points["platelet"]["precision"] is points["platelet"]["bias"] is None
    assert (points["all"]["true"], points["all"]["found"]) == (14, 16)
    assert points["all"]["recall"] == pytest.approx(12 / 14, abs=1e-4)
    assert points["all"]["precision"] == 0.75


def test_what_counts_is_what_the_scores_in_files_say() -> None:
    scores = np.array([0.24996, 0.24994, 0.58, 0.57994], dtype=np.float32)
    objects = np.stack([*[np.zeros(4, dtype=np.float32)] * 4, scores, np.array([0, 0, 1, 1], dtype=np.float32)], axis=1)
    assert is_counted(objects, np.array([0.25, 0.58])).tolist() == [True, False, True, False]
