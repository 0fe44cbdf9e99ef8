"""Reading NIfTI."""

from io import BytesIO
from pathlib import Path

import numpy as np

from shared.images.file import ImageFile, NiftiGrid
from shared.images.unpacking import volume_bytes

LENGTHS = (348, 540)  # of the headers of NIfTI-1 and NIfTI-2, which are their first numbers
MILLIMETRES = {"meter": 1e3, "micron": 1e-3}


def is_nifti(content: bytes) -> bool:
    """Whether a file begins as NIfTI-1 or NIfTI-2 does."""
    return _header_length(content) in LENGTHS


def read_nifti(path: Path, start: bytes) -> ImageFile:
    """Read a NIfTI-1 or NIfTI-2 file, gzip or not, where ITK sees its voxels. Raises InputError as `itk_affine` does.

    start: how its content begins, the header at least. Results get a header by which ITK and nibabel agree.
    """
    import nibabel as nib  # 0.3 s, not for whoever reads pictures

    from shared.images.nifti_affine import consistent_header, itk_affine  # imports it, too

    header_type = nib.Nifti2Header if _header_length(start) == LENGTHS[1] else nib.Nifti1Header
    raw = header_type(start[: header_type.template_dtype.itemsize], check=False)
    shape = raw.get_data_shape()
    content = volume_bytes(path, offset=int(raw.get_data_offset()), shape=shape, itemsize=raw.get_data_dtype().itemsize)
    file = BytesIO(content)
    header = header_type.from_fileobj(file)
    affine = itk_affine(raw, path)
    millimetres = MILLIMETRES.get(header.get_xyzt_units()[0], 1.0)
    return ImageFile(
        path,
        channels_first(header.data_from_fileobj(file)),
        np.diag([millimetres] * 3 + [1.0]) @ affine,
        nifti=NiftiGrid(consistent_header(header, affine), affine, shape),
    )


def channels_first(array: np.ndarray) -> np.ndarray:
    """(*S, ...) as (C, *S): the axes beyond the third are the channels."""
    channels_last = array.reshape(*array.shape[:3], -1) if array.ndim > 3 else array[..., None]
    return np.moveaxis(channels_last, -1, 0)


def _header_length(content: bytes) -> int:
    """The first number of a header, which is its length, in whichever order of bytes is the likelier."""
    return min(int.from_bytes(content[:4], "little"), int.from_bytes(content[:4], "big"))
