"""Pictures from arrays: their sizes, text that stays readable, colours as matplotlib has them, lines where they are."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib import colormaps
from PIL import Image

from shared.engine.canvas import caption, colour_mapped, legend, panel, save_picture, side_by_side, stacked, write_label
from shared.engine.outlines import draw_lines, outlines_of
from shared.tasks.registration.pictures import ORANGE_TO_PURPLE, RED_TO_BLUE


def inked(picture: Image.Image) -> np.ndarray:
    """Which rows and columns of a picture on white are drawn on, (rows, columns)."""
    return np.asarray(picture).min(axis=-1) < 128


def test_a_picture_comes_back_from_its_file_as_it_was(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (31, 47, 3), dtype=np.uint8)
    with Image.open(save_picture(tmp_path / "a.png", Image.fromarray(pixels))) as stored:
        assert stored.format == "PNG"
        np.testing.assert_array_equal(np.asarray(stored), pixels)


def test_a_panel_repeats_pixels_when_enlarged_and_keeps_their_mean_when_shrunk() -> None:
    values = np.random.default_rng(0).random((40, 60))
    enlarged = np.asarray(panel(values[:3, :4], (40, 30)))
    expected = np.round(255 * values[:3, :4]).repeat(10, axis=0).repeat(10, axis=1)
    np.testing.assert_array_equal(enlarged, np.stack([expected] * 3, axis=-1))
    shrunk = np.asarray(panel(values, (15, 10)))
    assert shrunk.shape == (10, 15, 3)
    # Without averaging, 150 of 2,400 uniform values would have a standard deviation of 0.29, as all of them have.
    assert shrunk.std() / 255 < 0.15


def test_pictures_are_put_beside_and_below_each_other() -> None:
    parts = [Image.new("RGB", size, "black") for size in ((10, 20), (30, 5))]
    assert side_by_side(parts, gap=4).size == (44, 20)
    below = stacked(parts, gap=2)
    assert below.size == (30, 27)
    assert inked(below)[0].nonzero()[0].tolist() == [*range(10, 20)]  # in the middle


@pytest.mark.parametrize("text", ["short", "a long name " * 30, "n" * 300, "line\nline", "\udcff$x_1$ \t ä≤…", ""])
def test_text_is_written_within_its_width_whatever_it_holds(text: str) -> None:
    page = caption(text, 300)
    assert page.width == 300
    assert inked(page).any() == bool(text)
    assert not inked(page)[:, [0, -1]].any()  # no letter is cut off


def test_every_class_has_a_line_of_its_colour_in_the_legend_however_many_there_are() -> None:
    colours = [f"#{value:02x}8000" for value in range(0, 250, 10)]
    page = np.asarray(legend([(f"class number {i}", colour) for i, colour in enumerate(colours)], 500))
    assert page.shape[1] == 500
    for value in range(0, 250, 10):
        assert (page == (value, 128, 0)).all(axis=-1).sum() > 50  # a line of 28 × 4 pixels


def test_a_label_is_on_its_ground_at_its_place() -> None:
    picture = Image.new("RGB", (100, 60), "black")
    write_label(picture, (50, 30), "A", ground="white", anchor="mm", opacity=1)
    rows, columns = np.nonzero(~inked(picture))
    assert (rows.min() + rows.max()) / 2 == pytest.approx(30, abs=1)
    assert (columns.min() + columns.max()) / 2 == pytest.approx(50, abs=1)


@pytest.mark.parametrize(("name", "colours"), [("RdBu", RED_TO_BLUE), ("PuOr", ORANGE_TO_PURPLE)])
def test_differences_and_jacobians_have_the_colours_of_matplotlibs_maps(name: str, colours: tuple[str, ...]) -> None:
    values = np.linspace(-3, 3, 101)[None]
    expected = colormaps[name](np.clip((values + 2) / 4, 0, 1))[..., :3]
    np.testing.assert_allclose(colour_mapped(values, colours, 2), expected, atol=0.02)  # it has 256 steps


def test_an_outline_runs_between_the_pixels_of_a_label_and_all_others() -> None:
    labels = np.zeros((6, 9), dtype=np.uint8)
    labels[1:4, 2:7], labels[5, 0] = 3, 200
    outlines = outlines_of(labels)
    assert outlines.keys() == {3, 200}
    (line,) = outlines[3]
    assert (line.min(axis=0).tolist(), line.max(axis=0).tolist()) == ([2, 1], [7, 4])
    (corner,) = outlines[200]
    assert (corner.min(axis=0).tolist(), corner.max(axis=0).tolist()) == ([0, 5], [1, 6])  # closed at the border


def test_lines_are_drawn_where_they_are_and_what_is_beside_the_picture_is_left_out() -> None:
    picture = Image.new("RGB", (80, 50), "white")
    draw_lines(picture, [np.array([[20.0, 10], [60, 10]]), np.array([[-50.0, 30], [30, 30]])], "black", width=2)
    draw_lines(picture, [np.array([[200.0, 10], [260, 10]])], "black")
    draw_lines(picture, [], "black")
    rows = inked(picture)
    assert rows[9:11, 21:59].all()
    assert rows[29:31, :29].all()
    assert 2 * (40 + 30 - 4) <= rows.sum() <= 3 * (40 + 30 + 4)  # 2 rows or 3; their ends may be two pixels off


def test_dots_are_equally_far_from_each_other_along_a_line() -> None:
    picture = Image.new("RGB", (120, 20), "white")
    draw_lines(picture, [np.array([[5.0, 10], [50, 10], [115, 10]])], "black", width=2, dotted=True)
    starts = np.flatnonzero(np.diff(inked(picture)[10].astype(int)) == 1)
    assert len(starts) > 15
    assert set(np.diff(starts)) <= {5, 6}  # 2.6 widths are 5.2 pixels


def test_overlays_are_drawn_without_matplotlib(root: Path, tmp_path: Path) -> None:
    """Of a process of its own: it takes half a second to import."""
    program = (
        "import sys, numpy as np; from shared.tasks.segmentation.pictures import draw_overlay\n"
        "ids = np.eye(9, dtype=np.uint8)\n"
        "draw_overlay(sys.argv[1], ids[None] * 9.0, ids, class_names=['background', 'line'], affine=np.eye(4))\n"
        "print('matplotlib' in sys.modules)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "a.png")]
    assert subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.strip() == "False"
    assert (tmp_path / "a.png").is_file()
