"""The tables of labels: what is learned, what is painted alike, and what changes sides."""

import numpy as np

from shared.synthesis.brain import MERGED, SIDES, WEIGHTINGS, brain_labels, coarse_labels
from shared.synthesis.labels import Labels

LABELS = Labels.make(
    [0, 2, 41, 4, 24, 136, 507], learned=[0, 2, 4, 41], sides={2: 41}, merged={136: 4}, tissues={"a": [2], "b": [4, 24]}
)


def test_ids_become_their_positions_and_strangers_background() -> None:
    assert LABELS.ids.tolist() == [0, 2, 4, 24, 41, 136, 507]
    found = LABELS.indices(np.array([[0, 41], [507, 3]], np.uint16))
    assert found.dtype == np.uint8
    assert found.tolist() == [[0, 4], [6, 0]]
    assert LABELS.indices(np.array([9999])).tolist() == [0]


def test_parts_are_learned_as_the_whole_and_strangers_as_background() -> None:
    assert LABELS.classes.tolist() == [0, 1, 2, 0, 3, 2, 0]


def test_sides_are_painted_alike_and_exchanged() -> None:
    assert LABELS.mirrored.tolist() == [0, 4, 2, 3, 1, 5, 6]
    assert LABELS.paints[1] == LABELS.paints[4]
    assert len(set(LABELS.paints.tolist())) == 6
    assert LABELS.tissues.tolist() == [-1, 0, 1, 1, 0, -1, -1]


def test_exchanging_the_sides_of_a_brain_twice_changes_nothing() -> None:
    labels = brain_labels([*SIDES, *SIDES.values(), 14, 15, 16, 24, 72, 85, 502, 530], [0, *SIDES, *SIDES.values(), 16])
    assert (labels.mirrored[labels.mirrored] == np.arange(len(labels.ids))).all()
    left, right = (labels.classes[np.isin(labels.ids, side)] for side in ([136, 137, 25], [163, 164, 57]))
    lateral = [int(labels.classes[labels.ids == value][0]) for value in (4, 5, 2, 43, 44, 41)]
    assert sorted([*left, *right]) == sorted(lateral)
    outside = labels.ids[labels.tissues < 0]
    assert outside.tolist() == [0, 502, 530]


def test_every_tissue_of_a_brain_has_a_mean_in_each_known_contrast_and_both_sides_the_same() -> None:
    labels = brain_labels([*SIDES, *SIDES.values(), *MERGED, 14, 15, 16, 24, 507])
    assert labels.known.shape == (len(WEIGHTINGS), len(labels.ids))
    assert (np.isnan(labels.known) == (labels.tissues < 0)).all()
    assert np.array_equal(labels.known[:, labels.mirrored], labels.known, equal_nan=True)


def test_a_locator_learns_hippocampi_apart_from_the_rest_of_each_half() -> None:
    labels = coarse_labels([*SIDES, *SIDES.values(), *MERGED, 14, 15, 16, 24, 507], [0, 2, 16, 17, 24, 41, 53])
    classes = dict(zip(labels.ids.tolist(), labels.classes.tolist()))
    assert (classes.pop(17), classes.pop(53)) == (3, 6)
    assert {classes[left] for left in SIDES if left != 17} == {1}
    assert {classes[right] for right in SIDES.values() if right != 53} == {5}
    assert [classes[value] for value in (14, 15, 16, 24, 72, 85, 507, 0)] == [2, 2, 2, 4, 4, 4, 0, 0]
    assert len(labels.known) == 1  # T1 alone
