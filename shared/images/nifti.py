"""Reading NIfTI."""

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np

from shared.images.file import ImageFile, NiftiGrid


def load_nifti(path: str | Path) -> nib.Nifti1Image:
    """A NIfTI-1 or NIfTI-2 file, read to its end, so that the checksum of a compressed one is checked."""
    path = Path(path)
    with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as file:
        content = file.read()
    second = 540 in (int.from_bytes(content[:4], "little"), int.from_bytes(content[:4], "big"))  # its header's length
    return (nib.Nifti2Image if second else nib.Nifti1Image).from_bytes(content)


def read_nifti(path: Path) -> ImageFile:
    image = load_nifti(path)
    array = np.asarray(image.dataobj)
    channels_last = array.reshape(*array.shape[:3], -1) if array.ndim > 3 else array[..., None]
    millimetres = {"meter": 1e3, "micron": 1e-3}.get(image.header.get_xyzt_units()[0], 1.0)
    affine = np.diag([millimetres] * 3 + [1.0]) @ image.affine
    grid = NiftiGrid(image.header, image.affine, image.shape)
    return ImageFile(path, np.moveaxis(channels_last, -1, 0), affine, nifti=grid)
