"""Between arrays as ITK gives them, last axis first, and the axes of the file on whose grid they are."""

from pathlib import Path

import numpy as np
from PIL import Image

from shared.errors import InputError
from shared.files import write_atomically
from shared.images.file import ImageFile
from shared.tasks.registration.views import turned, upright

LARGEST_IN_PNG = 2**16 - 1
SMALL_TYPES = (np.uint8, np.int16, np.int32)  # of the ids in a NIfTI file, the first of which that holds them


def from_array(array: np.ndarray, file: ImageFile) -> np.ndarray:
    """What ITK gives on the grid of `file` as an array (*S) of it; a slice may be a volume of one."""
    return array if file.is_raster else array.T.reshape(file.shape)


def upright_slice(values: np.ndarray, file: ImageFile) -> np.ndarray:
    """(*S) as it is seen: of a slice of a scan rows from the top; volumes and pictures stay as they are."""
    plane = values.squeeze()
    return values if file.is_raster or plane.ndim == 3 else turned(plane, upright(file)).T[::-1]


def write_ids(path: str | Path, image: ImageFile, ids: np.ndarray, *, known: np.ndarray) -> Path:
    """Write ids (*S) on the grid of `image`: in 8 bits, or where one of the ids `known` needs it in 16 or 32.

    Raises InputError where a PNG does not hold an id.
    """
    if not image.is_raster:
        return image.write_volume(path, ids.astype(_smallest(known)))
    if known.min() < 0 or known.max() > LARGEST_IN_PNG:
        raise InputError(
            path, expected=f"ids from 0 to {LARGEST_IN_PNG}, as a PNG has them", got=f"{known.min()} to {known.max()}",
            fix="number the labels of the atlases anew",
        )  # fmt: skip
    image.refuse_as_target(path)
    kind = np.uint8 if known.max() <= np.iinfo(np.uint8).max else np.uint16
    return write_atomically(path, lambda temporary: Image.fromarray(ids.astype(kind)).save(temporary))


def _smallest(known: np.ndarray) -> type:
    bounds = {kind: np.iinfo(kind) for kind in SMALL_TYPES}
    return next(k for k, bound in bounds.items() if bound.min <= known.min() and known.max() <= bound.max)
