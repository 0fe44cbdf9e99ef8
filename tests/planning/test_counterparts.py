"""Left and right classes are found by where they lie, whatever they are called."""

import numpy as np

from shared.planning.counterparts import Counterparts, axes_of_sides, counterparts


def _two_sides() -> np.ndarray:
    """A middle (1), and on either side of it a crescent (2, 3) open to the middle."""
    ids = np.zeros((40, 30), int)
    ids[16:24, 5:25] = 1
    ids[4:10, 5:25] = 2
    ids[10:14, 5:10] = 2
    ids[30:36, 5:25] = 3
    ids[26:30, 5:10] = 3
    return ids


def test_a_mirror_takes_one_side_to_the_other() -> None:
    assert counterparts(_two_sides(), [1, 1]) == {Counterparts(0, 2, 3)}
    assert counterparts(_two_sides().T, [1, 1]) == {Counterparts(1, 2, 3)}
    volume = np.repeat(_two_sides()[..., None], 3, axis=2)
    assert counterparts(volume, [1, 1, 5]) == {Counterparts(0, 2, 3)}


def test_places_alone_make_no_counterparts() -> None:
    """What lies opposite but has another shape, or is a class of its own mirror image, is none."""
    ids = _two_sides()
    ids[30:36, 5:25] = 0
    ids[26:38, 13:17] = 3
    assert not counterparts(ids, [1, 1])
    assert not counterparts((_two_sides() == 1).astype(int), [1, 1])
    assert not counterparts(np.zeros((8, 8), int), [1, 1])


def test_large_maps_are_looked_at_coarsely() -> None:
    ids = _two_sides().repeat(10, axis=0).repeat(10, axis=1)
    assert counterparts(ids, [0.1, 0.1]) == {Counterparts(0, 2, 3)}


def test_an_axis_tells_classes_apart_where_each_keeps_its_side() -> None:
    one, other = Counterparts(0, 2, 3), Counterparts(0, 3, 2)
    assert axes_of_sides([([0, 2, 3], {one})] * 5 + [([0, 2, 3], set()), ([0, 2], set())]) == [0]
    assert axes_of_sides([([0, 2, 3], {one}), ([0, 2, 3], {other})] * 4) == []
    assert axes_of_sides([([0, 2, 3], {Counterparts(2, 2, 3)})]) == [2]
    assert axes_of_sides([]) == []
