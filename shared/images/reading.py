"""Reading one image, whatever its format, into an `ImageFile`."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from shared.errors import InputError, one_line
from shared.images import dicom_series, volumes
from shared.images.dicom import read_dicom
from shared.images.dicom_series import is_dicom, is_one_of_several
from shared.images.file import ImageFile
from shared.images.raster import read_raster
from shared.images.volumes import is_volume, read_volume

NIFTI_ENDINGS = (".nii.gz", ".nii")
RASTER_ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
ENDINGS = volumes.ENDINGS + RASTER_ENDINGS


def without_ending(path: Path) -> Path:
    """`path` without an ending this module reads; `a.b.nii.gz` becomes `a.b`."""
    name = path.name
    for ending in (*ENDINGS, *dicom_series.ENDINGS, volumes.DATA_ENDING):
        if name.lower().endswith(ending):
            return path.with_name(name[: -len(ending)])
    return path


def read_image(path: str | Path, *, as_ids: bool = False) -> ImageFile:
    """Read a file or a DICOM series.

    The axes beyond the third of a volume are its channels; a raster image has the channels of its file.
    as_ids: values are ids rather than intensities, so that those of a palette are its indices and not its colours.
    Raises InputError for what cannot be read.
    """
    path = Path(path)
    if path.is_dir() or is_dicom(path) or is_one_of_several(path):
        kind, read = "a DICOM series", read_dicom
    elif is_volume(path):
        kind, read = "a NIfTI file" if path.name.lower().endswith(NIFTI_ENDINGS) else "a volume", read_volume
    else:
        kind, read = "a PNG, JPEG or TIFF image", partial(read_raster, as_ids=as_ids)
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
    return replace(image, values=np.ascontiguousarray(values, dtype=np.float32))
