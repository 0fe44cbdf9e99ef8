import numpy as np
import pytest

from shared.detection.sizing import Objects, Remembering, estimated_width, part_of
from shared.images.magnifying import Magnification

KNOWN = Magnification(known_px=20, known_um=10, diameter="auto", without_change=[14, 28])


class SeesDiscs:
    """Of objects of `width` pixels that cover half of an image, those that a network knows: enlarged to 10 to 40."""

    def __init__(self, width: float) -> None:
        self.width = width
        self.factors: list[float] = []

    def __call__(self, image: np.ndarray, factor: float) -> Objects:
        self.factors.append(factor)
        likely = np.exp(-((np.log2(self.width * factor / 20)) ** 2))  # 1 at 20 pixels, 0.37 at 10 and 40
        count = max(4, round(image[0].size / self.width**2 / 2))
        return Objects(np.full(count, self.width), np.full(count, likely))


@pytest.mark.parametrize("width", [5, 8, 13, 20, 30, 50, 80])
def test_a_width_is_estimated_over_a_range_of_four_times_both_ways(width: float) -> None:
    assert estimated_width(np.zeros((1, 400, 400)), SeesDiscs(width), KNOWN, window=400) == width


@pytest.mark.parametrize(("width", "factors"), [(20, [1]), (15, [1]), (12, [1, 2, 4]), (35, [1, 0.5, 0.25])])
def test_what_is_seen_first_decides_what_else_is_looked_at(width: float, factors: list[float]) -> None:
    look = SeesDiscs(width)
    estimated_width(np.zeros((1, 400, 400)), look, KNOWN, window=400)
    assert look.factors == factors


def test_nothing_is_estimated_from_an_image_without_objects() -> None:
    nothing = Objects(np.zeros(0), np.zeros(0))
    assert estimated_width(np.zeros((1, 400, 400)), lambda image, factor: nothing, KNOWN, window=400) is None


def test_clumps_in_a_view_made_smaller_are_not_taken_for_the_objects() -> None:
    """Few of many objects are sure at first; seen at a quarter their clumps are, and cover five times as much."""

    def look(image: np.ndarray, factor: float) -> Objects:
        return Objects(np.full(20, 100.0 if factor == 0.25 else 25.0), np.full(20, 0.8))

    assert estimated_width(np.zeros((1, 400, 400)), look, KNOWN, window=400) == 25


def test_two_objects_decide_nothing_where_others_are_seen_at_another_factor() -> None:
    def look(image: np.ndarray, factor: float) -> Objects:
        return Objects(np.full(5, 60.0), np.full(5, 0.5)) if factor == 0.5 else Objects(np.full(2, 90.0), np.ones(2))

    assert estimated_width(np.zeros((1, 400, 400)), look, KNOWN, window=400) == 60


def test_of_a_large_image_the_part_with_most_contrast_is_looked_at() -> None:
    """Stripes lie in one corner of a gray slide, of which a window of 256 pixels is seen."""
    slide = np.full((3, 2000, 3000), 0.5, dtype=np.float32)
    slide[:, 1600:1900, 2500:2900:2] = 1
    part = part_of(slide, 256)
    assert part.shape == (3, 256, 256)
    assert part.std() > 0.5 * slide[:, 1600:1900, 2500:2900].std()


def test_a_network_does_not_run_twice_for_the_image_that_it_saw_first() -> None:
    runs: list[float] = []

    def network(image: np.ndarray) -> float:
        runs.append(float(image[0]))
        return float(image[0])

    remembering = Remembering(network)
    assert [remembering(np.array([value])) for value in (1.0, 2.0, 1.0, 2.0)] == [1, 2, 1, 2]
    assert runs == [1, 2, 2]
