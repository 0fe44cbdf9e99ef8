"""SimpleITK, which knows nothing of us, applies our files and gets what we get."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
import torch
from scipy import ndimage

from shared.errors import InputError
from shared.spatial.itk import read_displacement, write_displacement, write_plane_displacement
from shared.spatial.warping import warp

SIZE = (14, 17, 12)


def smooth(size: tuple[int, ...], amplitude: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    fields = [ndimage.gaussian_filter(rng.normal(size=size), 3, mode="nearest") for _ in size]
    return np.stack([amplitude * f / abs(f).max() for f in fields])


def affines() -> dict[str, np.ndarray]:
    """Grids as scanners and tools store them: voxels to mm, RAS."""
    angle = np.radians(20)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    oblique = np.eye(4)
    oblique[:3, :3] = turn @ np.roll(turn, 1, axis=(0, 1)) @ np.diag([0.8, 1.3, 2.1])
    oblique[:3, 3] = [12, -30, 7]
    lps = np.diag([-1.0, -1.0, 1.0, 1.0])
    permuted = np.zeros((4, 4))
    permuted[[0, 1, 2, 3], [2, 0, 1, 3]] = [1.5, -0.7, 1.1, 1]
    return {"identity": np.eye(4), "lps": lps, "permuted": permuted, "oblique": oblique}


def applied(image: Path, field: Path, interpolator: int = sitk.sitkLinear) -> np.ndarray:
    """The image on the field's grid, resampled by SimpleITK, axes as nibabel has them."""
    moving = sitk.ReadImage(str(image), sitk.sitkFloat64)
    vectors = sitk.Cast(sitk.ReadImage(str(field)), sitk.sitkVectorFloat64)
    grid = sitk.Image(vectors.GetSize(), sitk.sitkUInt8)
    grid.CopyInformation(vectors)
    transform = sitk.DisplacementFieldTransform(vectors)
    return sitk.GetArrayFromImage(sitk.Resample(moving, grid, transform, interpolator, 0.0)).T


@pytest.mark.parametrize("name", list(affines()))
def test_simpleitk_moves_a_volume_as_we_do(tmp_path: Path, name: str) -> None:
    image, displacement = np.random.default_rng(1).uniform(1, 2, SIZE), smooth(SIZE, 2.5)
    nib.save(nib.Nifti1Image(image, affines()[name]), tmp_path / "moving.nii.gz")
    path = write_displacement(tmp_path / "displacement.nii.gz", displacement, affines()[name])
    ours = warp(torch.as_tensor(image)[None, None], torch.as_tensor(displacement)[None])[0, 0].numpy()
    itks = applied(tmp_path / "moving.nii.gz", path)
    # ITK gives 0 from half a voxel outside the border on, torch fades out over one: compared where neither does.
    inside = np.stack(np.meshgrid(*map(np.arange, SIZE), indexing="ij")) + displacement
    sure = np.all([(x > 0.01) & (x < s - 1.01) for x, s in zip(inside, SIZE)], axis=0)
    assert sure.mean() > 0.5
    # The file holds float32: 1e-6 mm, where the image changes by 1 a voxel.
    np.testing.assert_allclose(itks[sure], ours[sure], rtol=0, atol=1e-4)
    assert abs(itks - image)[sure].max() > 0.3


def test_a_field_on_one_grid_moves_an_image_on_another(tmp_path: Path) -> None:
    """The moving image has a grid of its own: the field's vectors are in the world, not in its voxels."""
    fixed, moving = affines()["oblique"], affines()["permuted"].copy()
    size = (60, 50, 40)
    centres = [affine[:3, :3] @ (np.array(s) - 1) / 2 + affine[:3, 3] for affine, s in ((fixed, SIZE), (moving, size))]
    moving[:3, 3] = centres[0] - centres[1]
    ramp = np.stack(np.meshgrid(*map(np.arange, size), indexing="ij")).reshape(3, -1)
    world = (moving[:3, :3] @ ramp + moving[:3, 3:]).reshape(3, *size)
    image = 2 * world[0] - 3 * world[1] + world[2]  # linear, so that interpolation loses nothing
    nib.save(nib.Nifti1Image(image, moving), tmp_path / "moving.nii.gz")
    displacement = smooth(SIZE, 1.0)
    path = write_displacement(tmp_path / "displacement.nii.gz", displacement, fixed)
    voxels = (np.stack(np.meshgrid(*map(np.arange, SIZE), indexing="ij")) + displacement).reshape(3, -1)
    x, y, z = (fixed[:3, :3] @ voxels + fixed[:3, 3:]).reshape(3, *SIZE)
    given = applied(tmp_path / "moving.nii.gz", path)
    inside = given != 0
    assert inside.mean() > 0.9
    np.testing.assert_allclose(given[inside], (2 * x - 3 * y + z)[inside], rtol=0, atol=1e-3)  # values near 100


def test_simpleitk_moves_a_picture_as_we_do(tmp_path: Path) -> None:
    spacing = (0.7, 1.9)
    image, displacement = np.random.default_rng(1).uniform(1, 2, SIZE[:2]), smooth(SIZE[:2], 2.5)
    picture = sitk.GetImageFromArray(image.T)  # the first axis is ITK's x
    picture.SetSpacing(spacing)
    sitk.WriteImage(picture, tmp_path / "moving.nii.gz")
    path = write_plane_displacement(tmp_path / "displacement.nii.gz", displacement, spacing)
    field = sitk.ReadImage(str(path))
    assert (field.GetDimension(), field.GetNumberOfComponentsPerPixel()) == (2, 2)
    assert (field.GetOrigin(), field.GetDirection()) == ((0, 0), (1, 0, 0, 1))
    assert field.GetSpacing() == pytest.approx(spacing)
    ours = warp(torch.as_tensor(image)[None, None], torch.as_tensor(displacement)[None])[0, 0].numpy()
    inside = np.stack(np.meshgrid(*map(np.arange, SIZE[:2]), indexing="ij")) + displacement
    sure = np.all([(x > 0.01) & (x < s - 1.01) for x, s in zip(inside, SIZE)], axis=0)
    np.testing.assert_allclose(applied(tmp_path / "moving.nii.gz", path)[sure], ours[sure], rtol=0, atol=1e-4)


def test_a_field_that_simpleitk_wrote_is_read_as_the_one_it_came_from(tmp_path: Path) -> None:
    displacement = smooth(SIZE, 2.0)
    ours = write_displacement(tmp_path / "ours.nii.gz", displacement, affines()["oblique"])
    sitk.WriteImage(sitk.ReadImage(str(ours)), tmp_path / "itks.nii.gz")
    for path in (ours, tmp_path / "itks.nii.gz"):
        given, affine = read_displacement(path)
        np.testing.assert_allclose(given, displacement, rtol=0, atol=1e-5)  # float32, numbers up to 10 mm
        np.testing.assert_allclose(affine, affines()["oblique"], atol=1e-4)
    plane = smooth(SIZE[:2], 2.0)
    path = write_plane_displacement(tmp_path / "plane.nii.gz", plane, (0.5, 2.0))
    np.testing.assert_allclose(read_displacement(path)[0], plane, rtol=0, atol=1e-5)


def test_what_is_no_field_is_refused(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(np.zeros((3, 4, 5), np.float32), np.eye(4)), tmp_path / "image.nii.gz")
    with pytest.raises(InputError, match="5-D NIfTI file of vectors"):
        read_displacement(tmp_path / "image.nii.gz")
