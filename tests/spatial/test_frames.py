"""A place of the patient has its point in the frame of each slice, however the slice is stored."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image

from shared.errors import InputError
from shared.images.file import ImageFile
from shared.images.reading import read_image
from shared.spatial.frames import between
from shared.spatial.itk import to_itk

A = np.radians(20)
# Coronal: x to the left, z down; turned in the plane by 20°, with pixels of 0.8 × 1.3 mm.
CORONAL = np.eye(4)
CORONAL[:3] = np.column_stack(
    [np.array([-np.cos(A), 0, np.sin(A)]) * 0.8, np.array([-np.sin(A), 0, -np.cos(A)]) * 1.3, [0, 5, 0], [12, -30, 7]]
)


def slice_of(path: Path, affine: np.ndarray, shape: tuple[int, ...] = (20, 16, 1)) -> ImageFile:
    image = np.random.default_rng(0).uniform(size=shape).astype(np.float32)
    nib.save(nib.Nifti1Image(image, affine), path)
    return read_image(path)


def patient(file: ImageFile, point: np.ndarray) -> np.ndarray:
    """RAS, of a point in the frame of a one-slice volume whose third axis is thin: its indices times its spacing."""
    index = point[:2] / nib.affines.voxel_sizes(file.affine)[:2]
    place: np.ndarray = (file.affine @ [*index, 0, 1])[:3]
    return place


def other_ways_to_store() -> dict[str, np.ndarray]:
    """What leads from voxels of a file that shows the same as one of `CORONAL` to voxels of that."""
    flipped, cropped, turned = np.eye(4), np.eye(4), np.eye(4)
    flipped[0] = [-1, 0, 0, 19]
    cropped[:2, 3] = [6, 3]
    turned[:2, :2] = [[0, 1], [-1, 0]]
    finer = np.diag([0.5, 0.5, 1, 1])
    return {"flipped": flipped, "cropped": cropped, "turned": turned, "finer": finer, "all": flipped @ turned @ finer}


@pytest.mark.parametrize("way", list(other_ways_to_store()))
def test_a_point_and_its_counterpart_are_one_place(tmp_path: Path, way: str) -> None:
    fixed = slice_of(tmp_path / "f.nii", CORONAL)
    moving = slice_of(tmp_path / "m.nii", CORONAL @ other_ways_to_store()[way])
    matrix = between(fixed, moving)
    assert not np.allclose(matrix, np.eye(3), atol=0.1) or way == "finer"
    for point in ([0, 0, 1], [13.5, 2.25, 1], [-4, 18, 1]):
        there = matrix @ point
        np.testing.assert_allclose(patient(moving, there), patient(fixed, np.array(point)), atol=1e-4)  # float32
    np.testing.assert_allclose(between(moving, fixed) @ matrix, np.eye(3), atol=1e-4)


def test_slices_of_one_grid_are_not_moved_at_all_nor_those_of_other_planes_beside_them(tmp_path: Path) -> None:
    beside = CORONAL.copy()
    beside[:3, 3] += [0, 25, 0]  # across the plane
    fixed = slice_of(tmp_path / "f.nii", CORONAL)
    for affine in (CORONAL, beside):
        np.testing.assert_array_equal(between(fixed, slice_of(tmp_path / "m.nii", affine)), np.eye(3))


def test_a_slice_tilted_out_of_the_plane_keeps_its_size_and_meets_the_centre(tmp_path: Path) -> None:
    tilt = np.eye(4)
    tilt[1:3, 1:3] = [[np.cos(A), -np.sin(A)], [np.sin(A), np.cos(A)]]
    upright = np.diag([-1.0, 1, 1, 1])[:, [0, 2, 1, 3]]  # coronal
    fixed, moving = slice_of(tmp_path / "f.nii", upright), slice_of(tmp_path / "m.nii", tilt @ upright)
    matrix = between(fixed, moving)
    np.testing.assert_allclose(matrix[:2, :2], np.eye(2), atol=1e-6)
    centre = np.array([9.5, 7.5, 1])
    missed = patient(moving, matrix @ centre) - patient(fixed, centre)
    across = tilt[:3, 1]  # the normal of the moving slice
    np.testing.assert_allclose(missed - across * (across @ missed), 0, atol=1e-5)


def test_slices_across_one_another_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\A[^\n]*m.nii: expected a slice in a plane near that of .*got one 90° from"):
        between(slice_of(tmp_path / "f.nii", CORONAL), slice_of(tmp_path / "m.nii", np.eye(4)))


@pytest.mark.parametrize("affine", [np.eye(4), np.diag([-0.8, 1.3, -1, 1]), CORONAL[[0, 2, 1, 3]]])
def test_a_file_of_two_dimensions_has_the_grid_that_simpleitk_reads(tmp_path: Path, affine: np.ndarray) -> None:
    axial = affine.copy()
    axial[:3, 2] = np.cross(*affine[:3, :2].T)
    given, expected = to_itk(slice_of(tmp_path / "a.nii", axial, (20, 16))), sitk.ReadImage(str(tmp_path / "a.nii"))
    assert given.GetSize() == expected.GetSize()
    for part in ("GetOrigin", "GetSpacing", "GetDirection"):
        assert getattr(given, part)() == pytest.approx(getattr(expected, part)(), abs=1e-5)


def test_files_of_two_dimensions_share_the_patients_frame_and_meet_slices_there(tmp_path: Path) -> None:
    axial = np.diag([-1.0, -1, 1, 1])
    axial[:3, 3] = [20, 30, 5]
    flat, other = slice_of(tmp_path / "a.nii", axial, (20, 16)), slice_of(tmp_path / "b.nii", np.eye(4), (20, 16))
    np.testing.assert_array_equal(between(flat, other), np.eye(3))
    volume = slice_of(tmp_path / "c.nii", axial)
    point = between(volume, flat) @ [3, 4, 1]
    np.testing.assert_allclose(point, [3 - 20, 4 - 30, 1], atol=1e-5)  # LPS, of RAS 20 - 3 and 30 - 4


def test_pictures_have_no_place_and_volumes_one_frame(tmp_path: Path) -> None:
    Image.fromarray(np.arange(320, dtype=np.uint8).reshape(16, 20)).save(tmp_path / "a.png")
    picture = read_image(tmp_path / "a.png")
    np.testing.assert_array_equal(between(picture, picture), np.eye(3))
    np.testing.assert_array_equal(between(slice_of(tmp_path / "s.nii", CORONAL), picture), np.eye(3))
    volumes = [slice_of(tmp_path / f"{n}.nii", affine, (9, 8, 7)) for n, affine in enumerate((CORONAL, np.eye(4)))]
    np.testing.assert_array_equal(between(*volumes), np.eye(4))
