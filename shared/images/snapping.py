"""Label maps that were saved as JPEG: their values are near those that they stood for."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from shared.errors import InputError

logger = logging.getLogger(__name__)
JPEG = b"\xff\xd8\xff"  # its first bytes
NEAR = 0.25  # of the smallest distance between two values: what JPEG changes a flat region by, and more
MOST_FAR = 0.1  # share of pixels that may be farther: those at borders


def is_lossy(path: str | Path) -> bool:
    """Whether a file is a JPEG, whatever its name."""
    path = Path(path)
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(JPEG)) == JPEG


def snapped(label: np.ndarray, values: Sequence[int], path: str | Path) -> np.ndarray:
    """A label map (1, *S), or (3, *S) of equal channels, with each value replaced by the nearest of `values`.

    Those that were changed are counted in a warning. Raises InputError where too many are near none, or the channels
    differ.
    """
    if len(label) == 3 and (label[0] == label[1]).all() and (label[0] == label[2]).all():
        label = label[:1]
    known = np.sort(np.asarray(values, dtype=np.float32))
    borders = (known[1:] + known[:-1]) / 2
    nearest = known[np.digitize(label, borders)]
    off = np.abs(label - nearest)
    far = float((off > NEAR * np.diff(known).min()).mean())
    if len(label) != 1 or far > MOST_FAR:
        raise InputError(
            path, expected=f"values near {list(values)}",
            got=f"{len(label)} channels" if len(label) != 1 else f"others in {far:.0%} of a JPEG",
            fix="store the label map as PNG or TIFF",
        )  # fmt: skip
    if off.any():
        logger.warning(
            "%s: a JPEG; %d of %d pixels had other values than %s and are taken for the nearest",
            path, np.count_nonzero(off), label.size, list(values),
        )  # fmt: skip
    return nearest
