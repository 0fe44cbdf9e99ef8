from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from shared.viz.registration import draw_registration

SIZE = (20, 14, 10)


def drawn(path: Path, size: tuple[int, ...], figures: list[Figure]) -> list[Any]:
    """The panels of a pair whose moving image is the fixed one 2 voxels further along x, and which is undone."""
    fixed = np.zeros(size)
    fixed[4:9, 5:9] = 1
    moving = np.roll(fixed, 2, axis=0)
    displacement = np.zeros((len(size), *size))
    displacement[0] = 2
    determinant = np.ones(size)
    determinant[:3] = -1
    images = {"fixed": fixed, "moving": moving, "moved": fixed}
    draw_registration(path, images, displacement, determinant, outlines={"moved": fixed}, title="a_to_b")
    return figures[0].axes


def test_x_goes_right_and_what_was_moved_back_leaves_no_difference(tmp_path: Path, figures: list[Figure]) -> None:
    axes = drawn(tmp_path / "a.png", SIZE[:2], figures)
    assert [a.get_title() for a in axes[:7]] == [
        "fixed", "moving", "moved", "difference before", "difference after", "deformed grid", "log det J"
    ]  # fmt: skip
    shown = [a.images[0].get_array() for a in axes[:5]]
    assert shown[0].shape == (14, 20)  # rows are y
    columns = [np.flatnonzero(picture.any(axis=0)) for picture in shown]
    assert (columns[0].min(), columns[0].max()) == (4, 8)
    assert (columns[1].min(), columns[1].max()) == (6, 10)
    assert np.abs(shown[3]).max() == 1
    assert np.abs(shown[4]).max() == 0
    np.testing.assert_array_equal(axes[5].lines[0].get_xdata(), np.arange(20) + 2)


def test_folds_are_marked_and_nothing_else(tmp_path: Path, figures: list[Figure]) -> None:
    axes = drawn(tmp_path / "a.png", SIZE[:2], figures)
    marked = ~np.ma.getmaskarray(axes[6].images[1].get_array())
    np.testing.assert_array_equal(np.flatnonzero(marked.all(axis=0)), [0, 1, 2])
    assert marked.sum() == 3 * 14


def test_a_volume_is_drawn_as_its_three_middle_slices(tmp_path: Path, figures: list[Figure]) -> None:
    axes = drawn(tmp_path / "a.png", SIZE, figures)
    shapes = [a.images[0].get_array().shape for a in axes[:21:7]]
    assert shapes == [(14, 20), (10, 20), (10, 14)]
    # Across x, the plane's own axes do not move.
    np.testing.assert_array_equal(axes[19].lines[0].get_xdata(), np.arange(14))
