"""The transforms that read images and labels into a bundle, and refuse what it cannot take."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import nibabel as nib
import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform
from torch import Tensor

from shared.errors import InputError
from shared.images.bounds import check_grid
from shared.images.channels import ALPHA, RGB, describe
from shared.images.file import ImageFile
from shared.images.reading import read_image
from shared.images.snapping import is_lossy, snapped
from shared.samples import Sample

# What is neither a medical image nor a microscope's is an error in the header.
SMALLEST_VOXEL_MM, LARGEST_VOXEL_MM = 1e-3, 1e2

# ITU-R BT.601, as Pillow's convert("L")
LUMINANCE = (0.299, 0.587, 0.114)


class ReadCased(MapTransform):
    """Make of the images that `keys` hold, by path or as an `ImageFile`, MetaTensors (C, *S), float32.

    Images must have `spatial_dims` dimensions, be finite and not constant, and have `channels` channels, for which
    raster images are converted between gray and colour. channel: which channels are taken of the file's (see
    `match_channels`); where a sample has "files", they hold these alone afterwards. pixdim: the spacing, in mm along
    the axes of RAS, to which they are resampled later, if at all; that grid must fit into memory (see `check_grid`).
    Raises InputError otherwise.
    """

    def __init__(
        self,
        keys: KeysCollection,
        *,
        spatial_dims: int,
        channels: int = 1,
        channel: object = "",
        pixdim: Sequence[float] | float | None = None,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.spatial_dims = spatial_dims
        self.channels = channels
        self.channel = channel
        self.pixdim = pixdim

    def __call__(self, data: Sample) -> Sample:
        out = dict(data)
        for key in self.key_iterator(out):
            file = out[key] if isinstance(out[key], ImageFile) else read_image(out[key])
            check_dimensions(file, self.spatial_dims)
            check_resampled(file, self.pixdim)
            out[key] = match_channels(file, self.channels, self.channel)
            check_intensities(out[key], file.path)
            if "files" in out:
                out["files"] = {**out["files"], key: file.with_channels(self.channel)}
        return out


class ReadLabeld(MapTransform):
    """Read the label maps that `keys` name into class ids (1, *S) on the grid of `image_key`.

    values: the value in the file that stands for each class, such as (0, 255); files of class ids are read too, and
    those of a JPEG, which are near `values`, are replaced by the nearest, with a warning that counts them.
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

    def __call__(self, data: Sample) -> Sample:
        out = dict(data)
        for key in self.key_iterator(out):
            path, image = out[key], out[self.image_key]
            file = read_image(path, as_ids=True)
            if self.values and is_lossy(path):
                file = replace(file, values=snapped(file.values, self.values, path))
            label = file.tensor()
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
            fix="convert it to NIfTI" if file.is_raster else "give one image or volume a file",
        )  # fmt: skip
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


def match_channels(file: ImageFile, channels: int, channel: object = "") -> MetaTensor:
    """The image as (channels, *S). Of raster images alpha is dropped, colour becomes luminance, gray is repeated.

    channel: which channels are taken of the file's, as `ImageFile.with_channels` has it; "" for all.
    Raises InputError where the channels do not match: further ones that the file does not call alpha, or three that it
    does not call colours, have to be chosen.
    """
    chosen = file.with_channels(channel)
    image: Tensor = chosen.tensor()
    count = len(chosen.values)
    if chosen.is_raster:
        image = _matched_colours(image, chosen, channels, by_name=channel in ("", None))
    elif count != 1 == channels:  # what is not a channel to the bundle is one dimension too many
        shape = (*chosen.shape, count)
        raise InputError(
            chosen.path, expected=f"{len(shape) - 1} dimensions", got=f"{len(shape)} {shape}",
            fix="give one volume a file",
        )  # fmt: skip
    if image.shape[0] != channels:
        raise InputError(
            chosen.path,
            expected=f"{channels} channel{'s' * (channels > 1)}",
            got=describe(chosen.channels) if chosen.channels else count,
            fix="choose with --channel, by name or by a number from 1" if file.is_raster else "choose those to keep",
        )
    return cast(MetaTensor, image)  # whose methods are annotated as giving plain tensors


def _matched_colours(image: Tensor, file: ImageFile, channels: int, *, by_name: bool) -> Tensor:
    """The channels of a raster image (C, *S) converted between gray and colour, as far as they are either.

    by_name: what they are is told by their names, where there are any, rather than by their number.
    """
    names = [channel.name for channel in file.channels]
    if by_name and ALPHA.name in names and len(names) != channels:
        kept = [i for i, name in enumerate(names) if name != ALPHA.name]
        image, names = image[kept], [names[i] for i in kept]
    if by_name and len(names) == 3 and names != [colour.name for colour in RGB]:
        if channels == 3:
            raise InputError(
                file.path, expected="gray, or red, green and blue", got=f"others, {describe(file.channels)}",
                fix="choose with --channel one, or three in the order of red, green and blue",
            )  # fmt: skip
        return image
    if len(image) == 3 and channels == 1:
        weights = image.new_tensor(LUMINANCE).reshape(3, *[1] * (image.ndim - 1))
        image = (image * weights).sum(dim=0, keepdim=True)
    return image.repeat(channels, *[1] * (image.ndim - 1)) if len(image) == 1 else image
