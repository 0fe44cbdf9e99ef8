import numpy as np
import pytest

from shared.tasks.segmentation.boundaries import boundary_scores, tiles


def halves(column: int) -> np.ndarray:
    """Class 0 left of `column`, class 1 from there on: one vertical boundary."""
    labels = np.zeros((20, 40), dtype=np.uint8)
    labels[:, column:] = 1
    return labels


@pytest.mark.parametrize(("shift", "found"), [(0, 1.0), (2, 1.0), (3, 0.5), (4, 0.0)])
def test_a_boundary_is_found_up_to_the_tolerance(shift: int, found: float) -> None:
    scores = boundary_scores(halves(20 + shift), halves(20), halves(20))
    # A boundary is two pixels wide, one on either side. Three pixels away, one of the two has one within two pixels.
    assert scores["boundary_f1"] == scores["boundary_recall"] == pytest.approx(found)


def test_boundaries_that_are_not_there_cost_precision_and_not_recall() -> None:
    drawn = halves(10)
    drawn[:, 30:] = 0  # two boundaries, of which the first is real
    scores = boundary_scores(drawn, halves(10), halves(10))
    assert scores["boundary_recall"] == 1
    assert scores["boundary_f1"] == pytest.approx(2 * 0.5 * 1 / 1.5)


def test_the_faint_third_is_where_the_image_changes_least() -> None:
    """The lower third of one boundary has hardly any contrast, and is what is not found."""
    reference = np.zeros((300, 40), dtype=np.uint8)
    reference[:, 20:] = 1
    image = 100.0 * reference
    image[200:] *= 0.02
    drawn = reference.copy()
    drawn[200:] = 0
    scores = boundary_scores(drawn, reference, image)
    # The blur of sigma 2 lends contrast to some rows at the border of the third, and what was drawn ends in a corner
    # that reaches 2 pixels into it: 8 of 100 rows at most.
    assert scores["boundary_recall_faint"] < 0.08
    assert scores["boundary_recall"] == pytest.approx(2 / 3, abs=0.03)
    assert boundary_scores(reference, reference, image)["boundary_recall_faint"] == 1


def test_nothing_drawn_finds_nothing_and_without_a_reference_there_is_no_score() -> None:
    empty = np.zeros((20, 40), dtype=np.uint8)
    assert set(boundary_scores(empty, halves(20), halves(20)).values()) == {0.0}
    assert all(np.isnan(value) for value in boundary_scores(halves(20), empty, empty).values())


def test_tiles_are_whole_and_do_not_overlap() -> None:
    seen = np.zeros((70, 100), dtype=int)
    for tile in tiles(seen.shape, 32):
        assert seen[tile].shape == (32, 32)
        seen[tile] += 1
    assert (seen[:64, :96] == 1).all()
    assert seen.sum() == 64 * 96
    assert [np.zeros((20, 45))[tile].shape for tile in tiles((20, 45), 32)] == [(20, 20)] * 2
