from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from shared.images.reading import read_image
from shared.tasks.registration.pictures import draw_fused, draw_registration, upright

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


def stored(path: Path, codes: str, size: tuple[int, ...]) -> np.ndarray:
    """Write a volume whose axes, as stored, point toward `codes`; its array."""
    affine = np.eye(4)
    for axis, code in enumerate(codes):
        affine[:3, axis] = [(code == positive) - (code == negative) for positive, negative in ("RL", "AP", "SI")]
    array = np.random.default_rng(0).uniform(size=size).astype(np.float32)
    nib.save(nib.Nifti1Image(array, affine), path)
    assert nib.aff2axcodes(nib.Nifti1Image.from_filename(path).affine) == tuple(codes)
    return array


def test_upright_is_toward_the_patients_left_front_and_head_and_of_pictures_from_the_bottom_up(tmp_path: Path) -> None:
    stored(tmp_path / "volume.nii", "RAS", (4, 5, 6))
    np.testing.assert_array_equal(upright(read_image(tmp_path / "volume.nii")), [[0, -1], [1, 1], [2, 1]])
    stored(tmp_path / "slice.nii", "LIA", (4, 5, 1))  # columns to the left, rows from the head down
    np.testing.assert_array_equal(upright(read_image(tmp_path / "slice.nii")), [[0, 1], [1, -1]])
    Image.new("L", (4, 5)).save(tmp_path / "a.png")
    np.testing.assert_array_equal(upright(read_image(tmp_path / "a.png")), [[0, 1], [1, -1]])


@pytest.mark.parametrize("codes", ["RAS", "LPS", "PIR", "SAL", "IRP"])
@pytest.mark.parametrize("size", [(4, 5, 6), (1, 5, 6), (4, 1, 6), (4, 5, 1)])
def test_nibabel_turns_the_whole_file_as_upright_turns_its_array(
    tmp_path: Path, codes: str, size: tuple[int, ...]
) -> None:
    array = stored(tmp_path / "a.nii", codes, size)
    turn = nib.orientations.ornt_transform(nib.orientations.axcodes2ornt(codes), nib.orientations.axcodes2ornt("LAS"))
    expected = nib.Nifti1Image.from_filename(tmp_path / "a.nii").as_reoriented(turn).get_fdata()
    given = nib.apply_orientation(array.squeeze(), upright(read_image(tmp_path / "a.nii")))
    np.testing.assert_array_equal(given, expected.squeeze())


@pytest.mark.parametrize(("codes", "size"), [("RAS", (12, 10, 1)), ("PSL", (12, 10, 8)), ("LIA", (12, 10, 1))])
def test_a_displacement_toward_the_patients_left_is_drawn_toward_the_left_of_the_patient(
    tmp_path: Path, figures: list[Figure], codes: str, size: tuple[int, ...]
) -> None:
    """However the file is stored. The lines of the grid run along x, which is toward the patient's left."""
    fixed = stored(tmp_path / "a.nii", codes, size).squeeze()
    axis = next(i for i, code in enumerate(codes) if code in "LR")
    displacement = np.zeros((fixed.ndim, *fixed.shape))
    displacement[axis] = 2 if codes[axis] == "L" else -2
    images = dict.fromkeys(("fixed", "moving", "moved"), fixed)
    orientation = upright(read_image(tmp_path / "a.nii"))
    draw_registration(tmp_path / "a.png", images, displacement, np.ones(fixed.shape), orientation=orientation)
    axes: Any = figures[0].axes
    panel = axes[5]
    assert panel.get_title() == "deformed grid"
    line = panel.lines[0]
    np.testing.assert_array_equal(line.get_xdata(), np.arange(size[axis]) + 2)
    assert len(set(line.get_ydata())) == 1
    assert axes[0].images[0].get_array().shape[1] == size[axis]


def test_images_outlines_and_folds_are_turned_with_the_field(tmp_path: Path, figures: list[Figure]) -> None:
    """A block in the corner of a slice stored as pictures are, rows from the top down, is drawn at the top."""
    fixed = np.zeros((20, 14))
    fixed[1:6, 1:5] = 1
    determinant = np.where(fixed > 0, -1.0, 1.0)
    images = dict.fromkeys(("fixed", "moving", "moved"), fixed)
    turn = np.array([[0, 1], [1, -1]])
    draw_registration(
        tmp_path / "a.png", images, np.zeros((2, 20, 14)), determinant, outlines={"fixed": fixed}, orientation=turn
    )
    axes: Any = figures[0].axes
    expected = np.flip(fixed, axis=1).T  # rows from the bottom up
    np.testing.assert_array_equal(axes[0].images[0].get_array(), expected)
    np.testing.assert_array_equal(~np.ma.getmaskarray(axes[6].images[1].get_array()), expected > 0)
    (outline,) = axes[0].collections
    assert outline.get_paths()[0].vertices[:, 1].min() == 14 - 5 - 0.5  # half a voxel around rows 9 to 12
    assert axes[0].images[0].origin == "lower"


@pytest.mark.parametrize("size", [SIZE[:2], SIZE])
def test_where_images_are_equal_they_are_fused_to_gray(
    tmp_path: Path, figures: list[Figure], size: tuple[int, ...]
) -> None:
    fixed = np.random.default_rng(0).uniform(size=size)
    moving = fixed + 0.5
    moving[0] = 9  # of another place and scale
    path = draw_fused(tmp_path / "a.png", {"fixed": fixed, "moving": moving, "moved": 100 + 3 * fixed}, title="a_to_b")
    assert path.is_file()
    axes: Any = figures[0].axes
    rows = 1 if len(size) == 2 else 3
    assert [a.get_title() for a in axes[:2]] == ["before", "after"]
    assert len(axes) == 2 * rows
    after = [a.images[0].get_array() for a in axes[1::2]]
    for picture in after:
        # Equal but for a gain and an offset, which the scale of each takes out: red is green is blue.
        np.testing.assert_allclose(picture, picture[..., :1].repeat(3, axis=-1), rtol=0, atol=1e-9)
        assert picture.max() > 0.9
    assert max(np.ptp(a.images[0].get_array(), axis=-1).max() for a in axes[0::2]) > 0.5
    assert [picture.shape[:2] for picture in after] == [(14, 20), (10, 20), (10, 14)][:rows]


def test_what_the_fixed_image_has_alone_is_green_and_what_the_moving_one_has_alone_is_magenta(
    tmp_path: Path, figures: list[Figure]
) -> None:
    fixed = np.zeros((20, 14))
    fixed[4:9, 5:9] = 1
    moving = np.roll(fixed, 2, axis=0)
    draw_fused(
        tmp_path / "a.png", {"fixed": fixed, "moving": moving, "moved": fixed}, orientation=np.array([[0, 1], [1, -1]])
    )
    axes: Any = figures[0].axes
    before = axes[0].images[0].get_array()
    row = before[14 - 1 - 6]  # of column y = 6, from the bottom up
    np.testing.assert_array_equal(row[4:6], [[0, 1, 0]] * 2)
    np.testing.assert_array_equal(row[6:9], [[1, 1, 1]] * 3)
    np.testing.assert_array_equal(row[9:11], [[1, 0, 1]] * 2)
    assert before.any(axis=-1).sum() == 7 * 4
