"""Masks that are not yet maps of ids: black and white ones, and those that JPEG has blurred."""

import logging
from pathlib import Path

import numpy as np
from skimage.measure import label as connected_parts

from shared.errors import InputError
from shared.images.snapping import is_lossy, snapped

logger = logging.getLogger(__name__)
BLACK_AND_WHITE = (0, 255)


def as_ids(values: np.ndarray, path: str | Path) -> np.ndarray:
    """Ids (1, *S), 0 the background, of the values in a label file.

    Values of a JPEG are snapped to 0 and 255. Where all that is not 0 has one value and lies in several parts, each of
    these is an instance: pixels that touch by their sides, as in training. Both are logged in a line. Raises InputError
    where there are several channels, a value is no whole number from 0, or a JPEG holds more than black and white.
    """
    if is_lossy(path):
        values = snapped(values, BLACK_AND_WHITE, path)
    if len(values) != 1:
        raise InputError(path, expected="one id a pixel", got=f"{len(values)} channels", fix="store a map of ids")
    if (values < 0).any() or (values != np.round(values)).any():
        raise InputError(path, expected="whole numbers from 0", got="others", fix="store ids")
    if len(np.unique(values[values != 0])) != 1:
        return values
    parts, count = connected_parts(values[0] != 0, connectivity=1, return_num=True)
    if count > 1:
        logger.warning("%s: one value in %d connected parts; each is taken for an instance", path, count)
    return values if count == 1 else parts[None].astype(values.dtype)
