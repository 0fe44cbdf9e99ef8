"""Reading one image, whatever its format, into an `ImageFile`."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from shared.errors import InputError, one_line
from shared.images import dicom_series, volumes
from shared.images.dicom import read_dicom
from shared.images.dicom_series import is_dicom, is_one_of_several
from shared.images.file import ImageFile
from shared.images.ids import exact_ids
from shared.images.raster import RASTER_ENDINGS, SLICE, begins_as_picture, read_raster, split_slice
from shared.images.unpacking import start_of
from shared.images.volumes import is_volume, read_volume

ENDINGS_OF = {"volume": volumes.ENDINGS, "raster": RASTER_ENDINGS}  # by kind; volumes are also DICOM series
ENDINGS = volumes.ENDINGS + RASTER_ENDINGS
LARGE = 3 * 2**24  # values of a picture, 4096² in colour, beyond which four bytes for each of them are too many
PICTURE = "a PNG, JPEG, TIFF, BMP, WebP, JPEG 2000, GIF, PPM or PGM"


def without_ending(path: Path) -> Path:
    """`path` without an ending this module reads: `a.b.nii.gz` becomes `a.b`, and a slice, `a.tif#z003`, `a/z003`."""
    name = path.name
    in_stack = SLICE.fullmatch(name)
    if in_stack and in_stack[1].lower().endswith(RASTER_ENDINGS):
        return without_ending(path.with_name(in_stack[1])) / in_stack[2]
    for ending in (*ENDINGS, *dicom_series.ENDINGS, volumes.DATA_ENDING):
        if name.lower().endswith(ending):
            return path.with_name(name[: -len(ending)])
    return path


def read_image(path: str | Path, *, as_ids: bool = False, in_bytes: bool = False) -> ImageFile:
    """Read a file, a slice of a stack (`stack.tif#z003`), or a DICOM series.

    The axes beyond the third of a volume are its channels; a raster image has the channels of its file, upright.
    as_ids: values are ids rather than intensities, so that those of a palette are its indices and not its colours.
    in_bytes: those of a picture of 8 bits of more than LARGE values stay uint8, a quarter of the memory.
    Raises InputError for what cannot be read.
    """
    image = _read(Path(path), as_ids=as_ids)
    stays = in_bytes and image.is_raster and image.values.dtype == np.uint8 and image.values.size > LARGE
    return replace(image, values=np.ascontiguousarray(image.values, dtype=np.uint8 if stays else np.float32))


def read_ids(path: str | Path) -> ImageFile:
    """Read a label map whose ids may be of any size: its values are int32, and never were of a float that rounds them.

    Raises InputError for what cannot be read, and for ids that are no whole numbers or beyond int32.
    """
    image = _read(Path(path), as_ids=True)
    return replace(image, values=np.ascontiguousarray(exact_ids(image.values, image.path)))


def _read(path: Path, *, as_ids: bool) -> ImageFile:
    """An image in the type that its file has, with an affine of use."""
    read: Callable[[Path], ImageFile]
    try:
        start = start_of(split_slice(path)[0])
    except OSError as error:
        raise InputError(
            path, expected="a file that may be read", got=error.strerror, fix="check its permissions"
        ) from error
    if begins_as_picture(start.raw):
        kind, read = PICTURE, partial(read_raster, as_ids=as_ids)
    elif path.is_dir() or is_dicom(path, start.raw) or is_one_of_several(path):
        kind, read = "a DICOM series", read_dicom
    elif is_volume(path):
        kind = "a NIfTI file" if path.name.lower().endswith((".nii", ".nii.gz")) else "a volume"
        read = partial(read_volume, start=start.content)
    else:
        kind, read = PICTURE, partial(read_raster, as_ids=as_ids)
    try:
        image = read(path)
    except InputError:
        raise
    except Exception as error:  # readers raise whatever their format's library does
        raise InputError(
            path, expected=f"{kind} that can be read", got=one_line(error), fix="check that the file is complete"
        ) from error
    values, affine = image.values, image.affine
    if values.dtype.kind not in "biuf":
        raise InputError(path, expected="one real number a voxel", got=values.dtype, fix="convert it to gray")
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine)) < 1e-12:
        raise InputError(
            path, expected="an affine that gives each voxel a place", got=affine[:3].tolist(), fix="repair the header"
        )
    return image
