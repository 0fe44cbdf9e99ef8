"""What a bundle takes of an image file, and what it refuses. Needs no torch."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from shared.errors import InputError
from shared.images.bounds import check_grid
from shared.images.channels import ALPHA, RGB, describe
from shared.images.file import ImageFile

# What is neither a medical image nor a microscope's is an error in the header.
SMALLEST_VOXEL_MM, LARGEST_VOXEL_MM = 1e-3, 1e2

# ITU-R BT.601, as Pillow's convert("L")
LUMINANCE = (0.299, 0.587, 0.114)


def accepted(
    file: ImageFile,
    *,
    spatial_dims: int,
    channels: int = 1,
    channel: object = "",
    pixdim: Sequence[float] | float | None = None,
) -> np.ndarray:
    """The values (channels, *S), float32, that a bundle takes of a file: see `ReadCased` for what is refused."""
    check_dimensions(file, spatial_dims)
    check_resampled(file, pixdim)
    values = matched_channels(file, channels, channel)
    check_values(values, file.path)
    return values


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
    if file.is_raster:
        check_grid(file.shape, [1.0] * len(file.shape), pixdim, file.path)
        return
    import nibabel as nib  # 0.3 s, needed for volumes alone

    axes = nib.io_orientation(file.affine)[: len(file.shape), 0].argsort()  # the volume's, in the order of RAS
    spacing = nib.affines.voxel_sizes(file.affine)
    check_grid([file.shape[axis] for axis in axes], spacing[axes].tolist(), pixdim, file.path)


def check_values(values: np.ndarray, path: str | Path) -> None:
    """Refuse an image (C, *S) without voxels, with NaN or Inf, or constant in all its channels."""
    if not values.size:
        raise InputError(path, expected="an image with voxels", got=f"none {values.shape[1:]}", fix="check the export")
    unusable = int((~np.isfinite(values)).sum())
    if unusable:
        raise InputError(
            path, expected="finite intensities", got=f"{unusable} NaN or Inf", fix="replace them, for instance by 0"
        )
    low, high = (extreme(values.reshape(len(values), -1), axis=1) for extreme in (np.min, np.max))
    if (low == high).all():
        constant = ", ".join(f"{v:g}" for v in low.tolist())
        raise InputError(path, expected="an image with contrast", got=f"{constant} everywhere", fix="check the export")


def matched_channels(file: ImageFile, channels: int, channel: object = "") -> np.ndarray:
    """The image as (channels, *S). Of raster images alpha is dropped, colour becomes luminance, gray is repeated.

    channel: which channels are taken of the file's, as `ImageFile.with_channels` has it; "" for all.
    Raises InputError where the channels do not match: further ones that the file does not call alpha, or three that it
    does not call colours, have to be chosen.
    """
    chosen = file.with_channels(channel)
    image = chosen.values
    count = len(image)
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
    return image


def _matched_colours(image: np.ndarray, file: ImageFile, channels: int, *, by_name: bool) -> np.ndarray:
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
        image = np.tensordot(np.array([LUMINANCE], dtype=image.dtype), image, axes=1)
    return image.repeat(channels, axis=0) if len(image) == 1 else image
