from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from shared.images.reading import read_image
from shared.tasks.registration import pictures
from shared.tasks.registration.pictures import (
    draw_fused,
    draw_registration,
    drawn_grid,
    fused,
    labelled,
    log_jacobian,
    panels_of,
)
from shared.tasks.registration.views import upright

SIZE = (20, 14, 10)


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What each row of a pair's picture is drawn from: planes, label maps, grid lines, det J."""
    drawn: list[Any] = []

    def note(*row: Any) -> dict[str, Image.Image]:
        drawn.append(row)
        return panels_of(*row)

    monkeypatch.setattr(pictures, "panels_of", note)
    return drawn


def draw(path: Path, size: tuple[int, ...]) -> Path:
    """Draw a pair whose moving image is the fixed one 2 voxels further along x, and which is undone."""
    fixed = np.zeros(size)
    fixed[4:9, 5:9] = 1
    moving = np.roll(fixed, 2, axis=0)
    displacement = np.zeros((len(size), *size))
    displacement[0] = 2
    determinant = np.ones(size)
    determinant[:3] = -1
    images = {"fixed": fixed, "moving": moving, "moved": fixed}
    return draw_registration(path, images, displacement, determinant, outlines={"moved": fixed}, title="a_to_b")


def test_x_goes_right_and_what_was_moved_back_leaves_no_difference(tmp_path: Path, rows: list[Any]) -> None:
    draw(tmp_path / "a.png", SIZE[:2])
    ((planes, labels, lines, determinant),) = rows
    assert planes["fixed"].shape == (14, 20)  # rows are y
    columns = [np.flatnonzero(planes[name].any(axis=0)) for name in ("fixed", "moving")]
    assert [(c.min(), c.max()) for c in columns] == [(4, 8), (6, 10)]
    np.testing.assert_array_equal(lines[0][:, 0], np.arange(20) + 2)
    panels = panels_of(planes, labels, lines, determinant)
    assert list(panels) == [
        "fixed", "moving", "moved", "difference before", "difference after", "deformed grid", "log det J"
    ]  # fmt: skip
    before, after = (np.asarray(panels[f"difference {when}"]) for when in ("before", "after"))
    assert len(np.unique(after.reshape(-1, 3), axis=0)) == 1
    # The fixed image alone is dark red, the moving one alone dark blue; both are 2 of 20 columns wide.
    middle = before[before.shape[0] // 2]
    assert (middle == (103, 0, 31)).all(axis=-1).sum() == (middle == (5, 48, 97)).all(axis=-1).sum() == 20


def test_folds_are_marked_and_nothing_else() -> None:
    determinant = np.ones((14, 20))
    determinant[:, :3] = -1
    determinant[:, 10:] = 0.5
    marked = (log_jacobian(determinant) == (1, 0, 0)).all(axis=-1)
    np.testing.assert_array_equal(marked, determinant <= 0)


def test_a_volume_is_drawn_as_its_three_middle_slices(tmp_path: Path, rows: list[Any]) -> None:
    draw(tmp_path / "a.png", SIZE)
    assert [planes["fixed"].shape for planes, *_ in rows] == [(14, 20), (10, 20), (10, 14)]
    # Across x, the plane's own axes do not move.
    np.testing.assert_array_equal(rows[2][2][0][:, 0], np.arange(14))


@pytest.mark.parametrize("size", [(20, 14), (3, 900), (900, 3), (12, 9, 200)])
def test_the_picture_of_a_pair_of_any_shape_is_of_a_size_that_can_be_looked_at(
    tmp_path: Path, size: tuple[int, ...]
) -> None:
    image = np.random.default_rng(0).random(size)
    images = dict.fromkeys(("fixed", "moving", "moved"), image)
    path = draw_registration(tmp_path / "a.png", images, np.zeros((len(size), *size)), np.ones(size))
    with Image.open(path) as picture:
        assert 1400 < picture.width < 1700  # 7 columns of 200 pixels
        assert picture.height < 1400


def test_a_line_of_the_grid_is_drawn_through_the_middle_of_its_voxels() -> None:
    drawn = np.asarray(drawn_grid([np.array([[0.0, 2], [9, 2]])], (5, 10)))  # of 20 × 20 pixels a voxel
    inked = np.nonzero(drawn.min(axis=-1) < 200)
    assert set(inked[0]) <= {49, 50}  # row 2 from below of 5
    assert (inked[1].min(), inked[1].max()) == (pytest.approx(10, abs=1), pytest.approx(190, abs=1))


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
    tmp_path: Path, rows: list[Any], codes: str, size: tuple[int, ...]
) -> None:
    """However the file is stored. The lines of the grid run along x, which is toward the patient's left."""
    fixed = stored(tmp_path / "a.nii", codes, size).squeeze()
    axis = next(i for i, code in enumerate(codes) if code in "LR")
    displacement = np.zeros((fixed.ndim, *fixed.shape))
    displacement[axis] = 2 if codes[axis] == "L" else -2
    images = dict.fromkeys(("fixed", "moving", "moved"), fixed)
    orientation = upright(read_image(tmp_path / "a.nii"))
    draw_registration(tmp_path / "a.png", images, displacement, np.ones(fixed.shape), orientation=orientation)
    planes, _, lines, _ = rows[0]
    np.testing.assert_array_equal(lines[0][:, 0], np.arange(size[axis]) + 2)
    assert len(set(lines[0][:, 1])) == 1
    assert planes["fixed"].shape[1] == size[axis]


def test_images_outlines_and_folds_are_turned_with_the_field(tmp_path: Path, rows: list[Any]) -> None:
    """A block in the corner of a slice stored as pictures are, rows from the top down, is drawn at the top."""
    fixed = np.zeros((20, 14))
    fixed[1:6, 1:5] = 1
    determinant = np.where(fixed > 0, -1.0, 1.0)
    images = dict.fromkeys(("fixed", "moving", "moved"), fixed)
    turn = np.array([[0, 1], [1, -1]])
    draw_registration(
        tmp_path / "a.png", images, np.zeros((2, 20, 14)), determinant, outlines={"fixed": fixed}, orientation=turn
    )
    ((planes, labels, _, turned),) = rows
    expected = np.flip(fixed, axis=1).T  # rows from the bottom up
    for array in (planes["fixed"], labels["fixed"], turned < 0):
        np.testing.assert_array_equal(array, expected)
    drawn = np.asarray(labelled(np.zeros((14, 20)), expected))  # 10 pixels a voxel
    outlined = np.nonzero(drawn.any(axis=-1))
    assert (outlined[0].min(), outlined[0].max()) == (pytest.approx(10, abs=1), pytest.approx(50, abs=1))
    assert (outlined[1].min(), outlined[1].max()) == (pytest.approx(10, abs=1), pytest.approx(60, abs=1))


@pytest.mark.parametrize("size", [SIZE[:2], SIZE])
def test_where_images_are_equal_they_are_fused_to_gray(size: tuple[int, ...]) -> None:
    fixed = np.random.default_rng(0).uniform(size=size)
    after = fused(fixed, fixed)
    assert [picture.shape for picture in after] == [(14, 20, 3), (10, 20, 3), (10, 14, 3)][: len(after)]
    assert len(after) == (1 if len(size) == 2 else 3)
    for picture in after:
        np.testing.assert_array_equal(picture, picture[..., :1].repeat(3, axis=-1))
    assert max(np.ptp(picture, axis=-1).max() for picture in fused(fixed, 1 - fixed)) > 0.5


def test_a_gain_and_an_offset_are_taken_out_before_images_are_fused(tmp_path: Path) -> None:
    fixed = np.random.default_rng(0).uniform(size=SIZE[:2])
    path = draw_fused(tmp_path / "a.png", {"fixed": fixed, "moving": fixed[::-1], "moved": 100 + 3 * fixed}, title="a")
    with Image.open(path) as picture:
        pixels = np.asarray(picture).astype(int)
    coloured = (np.ptp(pixels, axis=-1) > 2).any(axis=0)  # rounding may differ by one
    assert coloured[: pixels.shape[1] // 2 - 10].mean() > 0.9
    assert not coloured[pixels.shape[1] // 2 + 10 :].any()


def test_what_the_fixed_image_has_alone_is_green_and_what_the_moving_one_has_alone_is_magenta() -> None:
    fixed = np.zeros((20, 14))
    fixed[4:9, 5:9] = 1
    (before,) = fused(fixed, np.roll(fixed, 2, axis=0))
    row = before[6]  # of column y = 6
    np.testing.assert_array_equal(row[4:6], [[0, 1, 0]] * 2)
    np.testing.assert_array_equal(row[6:9], [[1, 1, 1]] * 3)
    np.testing.assert_array_equal(row[9:11], [[1, 0, 1]] * 2)
    assert before.any(axis=-1).sum() == 7 * 4
