"""The transforms that read images and labels into a bundle, and refuse what it cannot take."""

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform

from shared.errors import InputError
from shared.images.bounds import check_grid
from shared.images.file import ImageFile
from shared.images.reading import read_image

# What is neither a medical image nor a microscope's is an error in the header.
SMALLEST_VOXEL_MM, LARGEST_VOXEL_MM = 1e-3, 1e2

# ITU-R BT.601, as Pillow's convert("L")
LUMINANCE = (0.299, 0.587, 0.114)


class ReadCased(MapTransform):
    """Make of the images that `keys` hold, by path or as an `ImageFile`, MetaTensors (C, *S), float32.

    Images must have `spatial_dims` dimensions, be finite and not constant, and have `channels` channels, for which
    PNG, JPEG and TIFF are converted between gray and colour. pixdim: the spacing, in mm along the axes of RAS, to which
    they are resampled later, if they are; the grid must then fit into memory (see `check_grid`).
    Raises InputError otherwise.
    """

    def __init__(
        self,
        keys: KeysCollection,
        *,
        spatial_dims: int,
        channels: int = 1,
        pixdim: Sequence[float] | float | None = None,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.spatial_dims = spatial_dims
        self.channels = channels
        self.pixdim = pixdim

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        out = dict(data)
        for key in self.key_iterator(out):
            file = out[key] if isinstance(out[key], ImageFile) else read_image(out[key])
            check_dimensions(file, self.spatial_dims)
            check_resampled(file, self.pixdim)
            out[key] = match_channels(file, self.channels)
            check_intensities(out[key], file.path)
        return out


class ReadLabeld(MapTransform):
    """Read the label maps that `keys` name into class ids (1, *S) on the grid of `image_key`.

    values: the value in the file that stands for each class, such as (0, 255); files of class ids are read too.
    Raises InputError where the grid differs or a value is neither one of `values` nor of 0 … num_classes - 1.
    """

    def __init__(
        self,
        keys: KeysCollection,
        *,
        image_key: str,
        num_classes: int,
        values: Sequence[int] = (),
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        if values and not len(values) == len(set(values)) == num_classes:
            raise InputError(
                "--label_values", expected=f"{num_classes} different values, one a class", got=f"{list(values)}",
                fix="list the value of each of --class_names",
            )  # fmt: skip
        self.image_key = image_key
        self.num_classes = num_classes
        self.values = list(values)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        out = dict(data)
        for key in self.key_iterator(out):
            path, image = out[key], out[self.image_key]
            label = read_image(path, as_ids=True).tensor()
            if label.shape[1:] != image.shape[1:] or not np.allclose(label.affine, image.affine, atol=1e-2):
                raise InputError(
                    path,
                    expected=f"the grid of its image, {tuple(image.shape[1:])}",
                    got=f"{tuple(label.shape[1:])} or another affine",
                    fix="resample the label onto the image",
                )
            out[key] = class_ids(label, path, self.num_classes, self.values)
        return out


def check_dimensions(file: ImageFile, spatial_dims: int) -> None:
    """Refuse an image of other than `spatial_dims` dimensions, or whose voxels are of no likely size."""
    if len(file.shape) != spatial_dims:
        raise InputError(
            file.path, expected=f"{spatial_dims} dimensions", got=f"{len(file.shape)} {file.shape}",
            fix="give one image or volume a file",
        )  # fmt: skip
    if file.is_raster and spatial_dims != 2:
        raise InputError(file.path, expected="NIfTI or DICOM", got="a stack of pictures", fix="convert it to NIfTI")
    zooms = np.linalg.norm(file.affine[:3, :3], axis=0)
    if (zooms < SMALLEST_VOXEL_MM).any() or (zooms > LARGEST_VOXEL_MM).any():
        raise InputError(
            file.path,
            expected=f"a voxel size between {SMALLEST_VOXEL_MM:g} and {LARGEST_VOXEL_MM:g} mm",
            got=" × ".join(f"{z:g}" for z in zooms),
            fix="correct the affine or its units in the header",
        )


def check_resampled(file: ImageFile, pixdim: Sequence[float] | float | None) -> None:
    """Refuse a volume whose grid, turned to RAS and resampled to `pixdim`, would not fit into memory."""
    axes = nib.io_orientation(file.affine)[: len(file.shape), 0].argsort()  # the volume's, in the order of RAS
    spacing = nib.affines.voxel_sizes(file.affine)
    check_grid([file.shape[axis] for axis in axes], spacing[axes].tolist(), pixdim, file.path)


def check_intensities(image: MetaTensor, path: str | Path) -> None:
    """Refuse an image (C, *S) without voxels, with NaN or Inf, or constant in all its channels."""
    if not image.numel():
        raise InputError(
            path, expected="an image with voxels", got=f"none {tuple(image.shape[1:])}", fix="check the export"
        )
    unusable = int((~image.isfinite()).sum())
    if unusable:
        raise InputError(
            path, expected="finite intensities", got=f"{unusable} NaN or Inf", fix="replace them, for instance by 0"
        )
    low, high = (extreme(image.flatten(1), dim=1) for extreme in (torch.amin, torch.amax))
    if bool((low == high).all()):
        values = ", ".join(f"{v:g}" for v in low.tolist())
        raise InputError(path, expected="an image with contrast", got=f"{values} everywhere", fix="check the export")


def class_ids(label: MetaTensor, path: str | Path, num_classes: int, values: Sequence[int] = ()) -> MetaTensor:
    """A label map (C, *S) as class ids: where all it holds is among `values`, each becomes its place in them.

    Raises InputError where it has several channels, or else holds other than the class ids 0 … num_classes - 1.
    """
    if label.shape[0] != 1:
        raise InputError(path, expected="one class id a voxel", got=f"{label.shape[0]} channels", fix="store ids")
    given = label.unique().tolist()
    if set(given) <= set(values):
        ids = label.clone()
        for index, value in enumerate(values):
            ids[label == value] = index
        return ids
    strange = dict.fromkeys(f"{v:g}" for v in given if v not in range(num_classes))
    if strange:
        raise InputError(
            path,
            expected=f"class ids 0 to {num_classes - 1}" + (f", or the values {list(values)}" if values else ""),
            got=", ".join(list(strange)[:5]),
            fix="correct the label, or name all its classes with --class_names",
        )
    return label


def match_channels(file: ImageFile, channels: int) -> MetaTensor:
    """The image as (channels, *S). Of raster images alpha is dropped, colour becomes luminance, gray is repeated.

    Raises InputError where the channels do not match.
    """
    image: Any = file.tensor()  # MetaTensor's methods are annotated as giving plain tensors
    count = len(file.values)
    if file.is_raster:
        if count in (2, 4) and channels != count:  # gray + alpha, colour + alpha
            image = image[:-1]
        if image.shape[0] == 3 and channels == 1:
            weights = image.new_tensor(LUMINANCE).reshape(3, *[1] * (image.ndim - 1))
            image = (image * weights).sum(dim=0, keepdim=True)
        if image.shape[0] == 1:
            image = image.repeat(channels, *[1] * (image.ndim - 1))
    elif count != 1 == channels:  # what is not a channel to the bundle is one dimension too many
        shape = (*file.shape, count)
        raise InputError(
            file.path, expected=f"{len(shape) - 1} dimensions", got=f"{len(shape)} {shape}",
            fix="give one volume a file",
        )  # fmt: skip
    if image.shape[0] != channels:
        raise InputError(file.path, expected=f"{channels} channels", got=count, fix="choose the channels to keep")
    matched: MetaTensor = image
    return matched
