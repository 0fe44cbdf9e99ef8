"""Label maps on the grid of a pair's images, as int32 from file to file."""

import numpy as np
import SimpleITK as sitk

from shared.errors import InputError
from shared.images.file import ImageFile
from shared.spatial.frames import between
from shared.spatial.itk import resample, to_itk, transform_of


def ids_on(label: ImageFile, image: ImageFile, grid: sitk.Image, transform: sitk.Transform) -> sitk.Image:
    """The ids of a label map on `grid`: of the nearest voxel, where `transform` leads from its points to the image's.

    The label map may have another grid than its image: each has its own affine. Raises InputError where it has other
    dimensions, several channels, or belongs to a picture of another size, since pictures have no affine.
    """
    ids = to_itk(label)
    _check(label, image, ids)
    way = between(image, label)
    if not np.array_equal(way, np.eye(len(way))):
        transform = sitk.CompositeTransform([transform_of(way), transform])  # the last is first
    return resample(ids, grid, transform, nearest=True)


def ids_of_fixed(label: ImageFile, image: ImageFile, grid: sitk.Image) -> sitk.Image:
    """As `ids_on` with no transform, for the fixed image; InputError also where all that is labelled lies elsewhere."""
    ids = ids_on(label, image, grid, sitk.Transform(grid.GetDimension(), sitk.sitkIdentity))
    if label.values.any() and not sitk.GetArrayViewFromImage(ids).any():
        raise InputError(
            label.path, expected=f"labels within {image.path}", got="labels that lie elsewhere",
            fix="give the label map of this image, or correct the affine",
        )  # fmt: skip
    return ids


def as_small_as_holds(ids: sitk.Image, label: ImageFile) -> sitk.Image:
    """Ids of `label` as int16, or as int32 where it has others than int16 holds."""
    bounds = np.iinfo(np.int16)
    fits = label.values.min() >= bounds.min and label.values.max() <= bounds.max
    return sitk.Cast(ids, sitk.sitkInt16 if fits else sitk.sitkInt32)


def _check(label: ImageFile, image: ImageFile, ids: sitk.Image) -> None:
    if (label.values[1:] != label.values[0]).any():  # a gray picture may have its ids in three channels
        raise InputError(
            label.path, expected="one id a voxel", got=f"{len(label.values)} channels", fix="store ids alone"
        )
    target = to_itk(image)
    if ids.GetDimension() != target.GetDimension():
        raise InputError(
            label.path, expected=f"{target.GetDimension()} dimensions, as {image.path}", got=ids.GetDimension(),
            fix="give the label map of this image",
        )  # fmt: skip
    if (label.is_raster or image.is_raster) and ids.GetSize() != target.GetSize():
        raise InputError(
            label.path, expected=f"the size of {image.path}, {' × '.join(map(str, target.GetSize()))}",
            got=" × ".join(map(str, ids.GetSize())), fix="resize it, by the nearest pixel",
        )  # fmt: skip
