"""Between the zoo's tensors and ITK's images, transforms and displacement fields.

Inside the zoo an image is (C, *S) with S = (x, y[, z]), and a displacement is in voxels of the fixed grid, channel i
along axis i. For ITK, and so for ANTs and 3D Slicer, a displacement field holds millimetres, LPS (x to the patient's
left, y to the back): the vector from a point of the fixed image to where the moving image is sampled.
"""

from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
import SimpleITK as sitk
import torch
from torch import Tensor

from shared.errors import InputError, one_line
from shared.files import write_atomically
from shared.images.file import ImageFile
from shared.spatial.frames import flat_grid

LARGEST_SKEW = 1e-3  # the cosine between two axes; float32 headers have some 1e-6
RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0])


def to_itk(file: ImageFile) -> sitk.Image:
    """The first channel of an image as ITK has it: a picture or a volume of one slice becomes a 2-D image.

    ITK cannot read the displacement field of a one-slice volume, so a slice is taken for a 2-D image with direction
    identity, origin zero and its spacing in the plane; a file of two dimensions has the grid that ITK reads from it.
    `between` leads from one slice to another. A picture's columns are x. Ids keep their type.
    Raises InputError where the axes of a volume are not at right angles.
    """
    if file.is_raster:
        return sitk.GetImageFromArray(file.values[0])
    array = file.values[0].reshape((*file.shape, 1)[:3])  # a file of two dimensions is a volume of one slice
    spacing = nib.affines.voxel_sizes(file.affine)
    if 1 in array.shape:
        thin = array.shape.index(1)
        plane = sitk.GetImageFromArray(array.squeeze(thin).T)
        plane.SetSpacing(np.delete(spacing, thin).tolist())
        origin, turn = flat_grid(file)
        plane.SetOrigin(origin.tolist())
        plane.SetDirection(turn.ravel().tolist())
        return plane
    direction = RAS_TO_LPS @ file.affine[:3, :3] / spacing
    skew = np.abs(direction.T @ direction - np.eye(3)).max()
    if skew > LARGEST_SKEW:
        raise InputError(
            file.path, expected="a grid of right angles, as ITK needs it",
            got=f"axes whose cosine is {skew:.2g}", fix="resample it",
        )  # fmt: skip
    volume = sitk.GetImageFromArray(array.T)
    volume.SetSpacing(spacing.tolist())
    volume.SetOrigin((RAS_TO_LPS @ file.affine[:3, 3]).tolist())
    volume.SetDirection(direction.ravel().tolist())
    return volume


def from_itk(image: sitk.Image) -> Tensor:
    """(1, *S), float32, of a gray ITK image."""
    return torch.as_tensor(sitk.GetArrayFromImage(image).T.astype(np.float32))[None]


def ids_from_itk(image: sitk.Image) -> Tensor:
    """(1, *S), int32, of an ITK image of ids."""
    return torch.as_tensor(sitk.GetArrayFromImage(image).T.astype(np.int32))[None]


def displacement_to_itk(displacement: np.ndarray, grid: sitk.Image) -> sitk.Image:
    """A displacement (D, *S), in voxels of `grid`, as an ITK field on it.

    Raises ValueError where the sizes differ.
    """
    if displacement.shape != (grid.GetDimension(), *grid.GetSize()):
        raise ValueError(f"expected {(grid.GetDimension(), *grid.GetSize())}, got {displacement.shape}")
    voxels = np.array(displacement.T, dtype=np.float64, order="C")  # (z, y, x, D), as ITK holds it
    vectors = voxels.reshape(-1, len(displacement)) @ _voxels_to_mm(grid).T
    field = sitk.GetImageFromArray(vectors.reshape(voxels.shape), isVector=True)
    field.CopyInformation(grid)
    return field


def displacement_from_itk(field: sitk.Image) -> np.ndarray:
    """An ITK field as a displacement (D, *S), float32, in voxels of its grid."""
    vectors = sitk.GetArrayViewFromImage(field)
    voxels = vectors.reshape(-1, field.GetDimension()) @ np.linalg.inv(_voxels_to_mm(field)).T
    return np.ascontiguousarray(voxels.reshape(vectors.shape).T, dtype=np.float32)


def after_affine(field: sitk.Image, affine: sitk.Transform, grid: sitk.Image) -> sitk.Image:
    """The ITK field on `grid` that moves a point as `field`, on any grid, does and then as `affine` does."""
    both = sitk.CompositeTransform([affine, sitk.DisplacementFieldTransform(sitk.Image(field))])  # the last is first
    return sitk.TransformToDisplacementField(
        both, sitk.sitkVectorFloat64, grid.GetSize(), grid.GetOrigin(), grid.GetSpacing(), grid.GetDirection()
    )


def transform_of(matrix: np.ndarray) -> sitk.Transform:
    """The transform of points that a matrix (D + 1, D + 1) is; see `matrix_of`."""
    dims = len(matrix) - 1
    return sitk.AffineTransform(matrix[:dims, :dims].ravel().tolist(), matrix[:dims, dims].tolist(), [0.0] * dims)


def matrix_of(transform: sitk.Transform) -> np.ndarray:
    """The (D + 1, D + 1) matrix of a transform that is linear."""
    dims = transform.GetDimension()
    origin = np.array(transform.TransformPoint((0.0,) * dims))
    columns = [np.array(transform.TransformPoint(axis)) - origin for axis in np.eye(dims).tolist()]
    matrix = np.eye(dims + 1)
    matrix[:dims, :dims], matrix[:dims, dims] = np.stack(columns, axis=1), origin
    return matrix


def identity(image: sitk.Image) -> sitk.Transform:
    """The transform that leaves every point of an image where it is."""
    return sitk.Transform(image.GetDimension(), sitk.sitkIdentity)


def matrix_of_grid(image: sitk.Image) -> np.ndarray:
    """The (D + 1, D + 1) matrix from voxels of `image` to points."""
    matrix = np.eye(image.GetDimension() + 1)
    matrix[:-1, :-1], matrix[:-1, -1] = _voxels_to_mm(image), image.GetOrigin()
    return matrix


def grid_of(size: Sequence[int], matrix: np.ndarray) -> sitk.Image:
    """An image of zeros of `size` voxels, on the grid that `matrix_of_grid` gives `matrix` for."""
    spacing = np.linalg.norm(matrix[:-1, :-1], axis=0)
    grid = sitk.Image(list(size), sitk.sitkUInt8)
    grid.SetSpacing(spacing.tolist())
    grid.SetOrigin(matrix[:-1, -1].tolist())
    grid.SetDirection((matrix[:-1, :-1] / spacing).ravel().tolist())
    return grid


def resample(moving: sitk.Image, grid: sitk.Image, transform: sitk.Transform, *, nearest: bool = False) -> sitk.Image:
    """`moving` on `grid`, sampled where `transform` sends each of its points; outside it is 0."""
    return sitk.Resample(moving, grid, transform, sitk.sitkNearestNeighbor if nearest else sitk.sitkLinear, 0.0)


def as_stored(field: sitk.Image) -> sitk.Image:
    """An ITK field with the vectors that its file holds, which are of float32."""
    return sitk.Cast(sitk.Cast(field, sitk.sitkVectorFloat32), sitk.sitkVectorFloat64)


def write_field(path: str | Path, field: sitk.Image) -> Path:
    """Write an ITK field, atomically, as 5-D NIfTI of float32 vectors."""
    single = sitk.Cast(field, sitk.sitkVectorFloat32)
    return write_atomically(path, lambda temporary: sitk.WriteImage(single, str(temporary)))


def read_field(path: str | Path) -> sitk.Image:
    """Read an ITK field. Raises InputError where the file is none."""
    try:
        field = sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise InputError(
            path, expected="a file that ITK reads", got=one_line(error)[-200:], fix="check that the file is complete"
        ) from error
    if field.GetNumberOfComponentsPerPixel() != field.GetDimension():
        raise InputError(
            path, expected="a displacement field", got=f"{field.GetNumberOfComponentsPerPixel()} numbers a voxel",
            fix="give displacement.nii.gz",
        )  # fmt: skip
    return sitk.Cast(field, sitk.sitkVectorFloat64)


def _voxels_to_mm(grid: sitk.Image) -> np.ndarray:
    dims = grid.GetDimension()
    return np.reshape(grid.GetDirection(), (dims, dims)) * grid.GetSpacing()
