"""SimpleITK, which knows nothing of us, applies our files and gets what we get."""

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
import torch
from PIL import Image
from scipy import ndimage

from shared.errors import InputError
from shared.images.file import ImageFile
from shared.images.reading import read_image
from shared.spatial.itk import (
    after_affine,
    as_stored,
    displacement_from_itk,
    displacement_to_itk,
    from_itk,
    grid_of,
    identity,
    matrix_of_grid,
    read_field,
    resample,
    to_itk,
    write_field,
)
from shared.spatial.warping import warp

SIZE = (14, 17, 12)


def smooth(size: tuple[int, ...], amplitude: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    fields = [ndimage.gaussian_filter(rng.normal(size=size), 3, mode="nearest") for _ in size]
    return np.stack([amplitude * f / abs(f).max() for f in fields])


def affines() -> dict[str, np.ndarray]:
    """Grids as scanners and tools store them: voxels to mm, RAS."""
    angle = np.radians(20)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    oblique = np.eye(4)
    oblique[:3, :3] = turn @ np.roll(turn, 1, axis=(0, 1)) @ np.diag([0.8, 1.3, 2.1])
    oblique[:3, 3] = [12, -30, 7]
    permuted = np.zeros((4, 4))
    permuted[[0, 1, 2, 3], [2, 0, 1, 3]] = [1.5, -0.7, 1.1, 1]
    return {"identity": np.eye(4), "lps": np.diag([-1.0, -1, 1, 1]), "permuted": permuted, "oblique": oblique}


def store(path: Path, image: np.ndarray, affine: np.ndarray) -> Path:
    nib.save(nib.Nifti1Image(image, affine), path)
    return path


def ours(image: np.ndarray, displacement: np.ndarray) -> np.ndarray:
    return warp(torch.as_tensor(image)[None, None], torch.as_tensor(displacement)[None])[0, 0].numpy()


def sure(displacement: np.ndarray) -> np.ndarray:
    """Where nothing is sampled beyond the border: there ITK ends after half a voxel, and torch fades out over one."""
    size = displacement.shape[1:]
    places = np.stack(np.meshgrid(*map(np.arange, size), indexing="ij")) + displacement
    inside = np.all([(x > 0.01) & (x < s - 1.01) for x, s in zip(places, size)], axis=0)
    assert inside.mean() > 0.5
    return inside


@pytest.mark.parametrize("name", list(affines()))
def test_a_volume_has_the_grid_that_simpleitk_reads_from_its_file(tmp_path: Path, name: str) -> None:
    path = store(tmp_path / "a.nii.gz", np.random.default_rng(0).uniform(size=SIZE), affines()[name])
    given, expected = to_itk(read_image(path)), sitk.ReadImage(str(path))
    assert given.GetSize() == expected.GetSize()
    for part in ("GetOrigin", "GetSpacing", "GetDirection"):
        assert getattr(given, part)() == pytest.approx(getattr(expected, part)(), abs=1e-5)
    np.testing.assert_allclose(sitk.GetArrayFromImage(given), sitk.GetArrayFromImage(expected), rtol=1e-6)
    assert torch.equal(from_itk(given), read_image(path).tensor().as_tensor())


@pytest.mark.parametrize("name", list(affines()))
def test_a_file_moves_a_volume_in_simpleitks_hands_as_in_ours(tmp_path: Path, name: str) -> None:
    image, displacement = np.random.default_rng(1).uniform(1, 2, SIZE), smooth(SIZE, 2.5)
    path = store(tmp_path / "moving.nii.gz", image, affines()[name])
    file = write_field(tmp_path / "field.nii.gz", displacement_to_itk(displacement, to_itk(read_image(path))))
    header = nib.Nifti1Image.from_filename(file).header
    assert (header.get_data_shape(), header.get_intent()[0]) == ((*SIZE, 1, 3), "vector")
    moving = sitk.ReadImage(str(path), sitk.sitkFloat64)  # from here on nothing is ours
    transform = sitk.DisplacementFieldTransform(sitk.Cast(sitk.ReadImage(str(file)), sitk.sitkVectorFloat64))
    moved = sitk.GetArrayFromImage(sitk.Resample(moving, moving, transform, sitk.sitkLinear, 0.0)).T
    where = sure(displacement)
    # The file holds float32: 1e-6 mm, where the image changes by 1 a voxel.
    np.testing.assert_allclose(moved[where], ours(image, displacement)[where], rtol=0, atol=1e-4)
    assert abs(moved - image)[where].max() > 0.3


@pytest.mark.parametrize("thin", [0, 1, 2])
def test_a_slice_is_the_2d_image_of_its_plane(tmp_path: Path, thin: int) -> None:
    plane, displacement = np.random.default_rng(1).uniform(1, 2, SIZE[:2]), smooth(SIZE[:2], 2.5)
    spacing = np.insert([0.7, 1.9], thin, 5.0)
    path = store(tmp_path / "a.nii", np.expand_dims(plane, thin), affines()["permuted"] @ np.diag([*spacing, 1]))
    image = to_itk(read_image(path))
    sizes = nib.affines.voxel_sizes(nib.Nifti1Image.from_filename(path).affine)
    assert image.GetSpacing() == pytest.approx(np.delete(sizes, thin))
    assert (image.GetOrigin(), image.GetDirection()) == ((0, 0), (1, 0, 0, 1))
    field = read_field(write_field(tmp_path / "field.nii.gz", displacement_to_itk(displacement, image)))
    assert (field.GetDimension(), field.GetOrigin(), field.GetDirection()) == (2, (0, 0), (1, 0, 0, 1))
    moved = from_itk(resample(image, image, sitk.DisplacementFieldTransform(field)))[0].numpy()
    where = sure(displacement)
    np.testing.assert_allclose(moved[where], ours(plane, displacement)[where], rtol=0, atol=1e-4)


def test_a_volume_whose_axes_are_not_at_right_angles_is_refused(tmp_path: Path) -> None:
    sheared = np.eye(4)
    sheared[0, 1] = 0.2
    with pytest.raises(InputError, match=r"a\.nii: expected a grid of right angles"):
        to_itk(ImageFile(tmp_path / "a.nii", np.zeros((1, *SIZE), np.float32), sheared))


def test_columns_of_a_picture_are_x(tmp_path: Path) -> None:
    picture = np.random.default_rng(1).integers(0, 255, (9, 14), dtype=np.uint8)
    Image.fromarray(picture).save(tmp_path / "a.png")
    image = to_itk(read_image(tmp_path / "a.png"))
    assert image.GetSize() == (14, 9)
    np.testing.assert_array_equal(from_itk(image)[0].numpy(), picture.T)


def test_a_field_on_one_grid_moves_an_image_on_another(tmp_path: Path) -> None:
    """The moving image has a grid of its own: the field's vectors are in the world, not in its voxels."""
    fixed, moving = affines()["oblique"], affines()["permuted"].copy()
    size = (60, 50, 40)
    centres = [affine[:3, :3] @ (np.array(s) - 1) / 2 + affine[:3, 3] for affine, s in ((fixed, SIZE), (moving, size))]
    moving[:3, 3] = centres[0] - centres[1]
    grid = np.stack(np.meshgrid(*map(np.arange, size), indexing="ij")).reshape(3, -1)
    world = (moving[:3, :3] @ grid + moving[:3, 3:]).reshape(3, *size)
    image = 2 * world[0] - 3 * world[1] + world[2]  # linear, so that interpolation loses nothing
    paths = [store(tmp_path / "m.nii", image, moving), store(tmp_path / "f.nii", np.zeros(SIZE), fixed)]
    m, f = (to_itk(read_image(path)) for path in paths)
    displacement = smooth(SIZE, 1.0)
    field = displacement_to_itk(displacement, f)
    voxels = (np.stack(np.meshgrid(*map(np.arange, SIZE), indexing="ij")) + displacement).reshape(3, -1)
    x, y, z = (fixed[:3, :3] @ voxels + fixed[:3, 3:]).reshape(3, *SIZE)
    given = from_itk(resample(m, f, sitk.DisplacementFieldTransform(field)))[0].numpy()
    inside = given != 0
    assert inside.mean() > 0.9
    np.testing.assert_allclose(given[inside], (2 * x - 3 * y + z)[inside], rtol=0, atol=1e-3)  # values near 100


def test_one_field_does_what_a_field_and_then_an_affine_do(tmp_path: Path) -> None:
    image = to_itk(read_image(store(tmp_path / "a.nii", np.random.default_rng(0).uniform(size=SIZE), affines()["lps"])))
    affine = sitk.AffineTransform([1.1, 0.1, 0, -0.2, 0.9, 0, 0, 0.1, 1], [3.0, -2, 1])
    displacement = smooth(SIZE, 1.5)
    field = displacement_to_itk(displacement, image)
    both = sitk.DisplacementFieldTransform(after_affine(field, affine, image))
    for index in ((3, 4, 5), (8, 9, 2)):
        start = np.array(image.TransformIndexToPhysicalPoint(index))
        step = np.array(image.TransformContinuousIndexToPhysicalPoint(index + displacement[(slice(None), *index)]))
        assert both.TransformPoint(start) == pytest.approx(affine.TransformPoint(step))


def oblique_grid(dims: int) -> sitk.Image:
    """Turned, mirrored along its last axis, of unlike spacings and sizes, and away from the origin."""
    turn: Any = sitk.Euler2DTransform() if dims == 2 else sitk.Euler3DTransform()
    turn.SetParameters([0.3, -0.2, 0.5, 0, 0, 0] if dims == 3 else [0.4, 0, 0])
    direction = np.reshape(turn.GetMatrix(), (dims, dims)) @ np.diag([1.0, 1, -1][-dims:])
    grid = sitk.Image(SIZE[:dims], sitk.sitkFloat32)
    grid.SetDirection(direction.ravel().tolist())
    grid.SetSpacing((0.8, 1.3, 2.1)[:dims])
    grid.SetOrigin((12.0, -30.0, 7.0)[:dims])
    return grid


@pytest.mark.parametrize("dims", [2, 3])
def test_a_grid_and_its_matrix_are_the_same(dims: int) -> None:
    grid = oblique_grid(dims)
    matrix = matrix_of_grid(grid)
    for index in ([0, 0, 0], [13, 0, 4], [2, 16, 11]):
        point = grid.TransformIndexToPhysicalPoint(index[:dims])
        assert matrix @ [*index[:dims], 1] == pytest.approx([*point, 1])
    again = grid_of(SIZE[:dims], matrix)
    assert again.GetSize() == grid.GetSize()
    for part in ("GetOrigin", "GetSpacing", "GetDirection"):
        assert getattr(again, part)() == pytest.approx(getattr(grid, part)())
    np.testing.assert_allclose(matrix_of_grid(again), matrix, rtol=0, atol=1e-12)
    assert not sitk.GetArrayViewFromImage(again).any()


@pytest.mark.parametrize("dims", [2, 3])
def test_the_identity_moves_no_point(dims: int) -> None:
    point = (3.0, -4.0, 5.0)[:dims]
    assert identity(oblique_grid(dims)).TransformPoint(point) == point


@pytest.mark.parametrize("dims", [2, 3])
def test_a_field_on_a_coarser_grid_is_brought_to_the_images_as_linear_interpolation_has_it(dims: int) -> None:
    """Of a field that is linear in the world nothing is lost; both grids have the same outer faces."""
    image = oblique_grid(dims)
    matrix = matrix_of_grid(image)
    coarse_size = [s // 2 for s in SIZE[:dims]]
    factors = np.array(SIZE[:dims]) / coarse_size
    coarse = matrix.copy()
    coarse[:dims, dims] += matrix[:dims, :dims] @ ((factors - 1) / 2)
    coarse[:dims, :dims] *= factors
    slopes, offset = np.array([[0.1, 0.05, 0], [-0.2, 0.1, 0.02], [0.03, 0, -0.1]])[:dims, :dims], np.arange(dims) + 1.0
    voxels = np.stack(np.meshgrid(*map(np.arange, coarse_size), indexing="ij")).reshape(dims, -1)
    points = coarse[:dims, :dims] @ voxels + coarse[:dims, dims:]
    vectors = slopes @ points + offset[:, None]
    displacement = (np.linalg.inv(coarse[:dims, :dims]) @ vectors).reshape(dims, *coarse_size)
    field = after_affine(displacement_to_itk(displacement, grid_of(coarse_size, coarse)), identity(image), image)
    assert field.GetSize() == image.GetSize()
    assert field.GetOrigin() == image.GetOrigin()
    # Beyond the centres of the outermost voxels of the coarse grid, a voxel of the fine one, it is not linear.
    for index in ([1, 1, 1], [6, 8, 5], [s - 2 for s in SIZE]):
        point = np.array(image.TransformIndexToPhysicalPoint(index[:dims]))
        assert field[index[:dims]] == pytest.approx(slopes @ point + offset, abs=1e-6)
    # Nor is it 0 there, at the corner of the image, as ITK has it outside of a field.
    assert np.linalg.norm(field[[0] * dims]) > 1


def test_a_displacement_comes_back_from_its_file(tmp_path: Path) -> None:
    for size in (SIZE, SIZE[:2]):
        image = to_itk(read_image(store(tmp_path / "a.nii", np.zeros((*size, 1)[:3]), affines()["oblique"])))
        displacement = smooth(size, 2.0)
        field = displacement_to_itk(displacement, image)
        path = write_field(tmp_path / "field.nii.gz", field)
        np.testing.assert_array_equal(
            sitk.GetArrayFromImage(as_stored(field)), sitk.GetArrayFromImage(read_field(path))
        )  # fmt: skip
        np.testing.assert_allclose(displacement_from_itk(read_field(path)), displacement, rtol=0, atol=1e-5)  # float32
    with pytest.raises(ValueError, match=r"expected \(2, 14, 17\), got \(2, 17, 14\)"):
        displacement_to_itk(np.zeros((2, 17, 14)), image)


def test_what_is_no_field_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a displacement field, got 1 numbers a voxel"):
        read_field(store(tmp_path / "image.nii.gz", np.zeros(SIZE), np.eye(4)))
    (tmp_path / "broken.nii.gz").write_bytes(b"no")
    with pytest.raises(InputError, match="a file that ITK reads"):
        read_field(tmp_path / "broken.nii.gz")
