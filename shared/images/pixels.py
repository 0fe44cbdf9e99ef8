"""What raster images of every format have in common: a largest size, and a way up."""

from pathlib import Path

import numpy as np

from shared.errors import InputError

# Of three channels in float32 1.6 GB, and three to four times that while the image is prepared. A slide of 8192² has
# half as many. Asked of the header, so that a small file that unfolds to more costs nothing.
MOST_PIXELS = 2**27


def check_size(path: Path, rows: int, columns: int, channels: int) -> None:
    """Refuse what would not fit into memory; further channels than three count as further pixels."""
    if rows * columns * max(1, channels / 3) > MOST_PIXELS:
        raise InputError(
            path, expected=f"at most {MOST_PIXELS / 1e6:.0f} million pixels of three channels",
            got=f"{columns} × {rows} of {channels}", fix="cut it into parts, or make it smaller",
        )  # fmt: skip


def channels_first(pixels: np.ndarray) -> np.ndarray:
    """(rows, columns[, C]) as (C, rows, columns)."""
    return np.moveaxis(pixels, -1, 0) if pixels.ndim == 3 else pixels[None]


def upright(values: np.ndarray, orientation: int) -> np.ndarray:
    """Pixels (C, rows, columns) as a viewer shows them. orientation: 1 … 8, as the tag of EXIF and TIFF has it."""
    if orientation in (5, 6, 7, 8):  # the first row of the file is a side of the picture
        values = values.swapaxes(1, 2)
    if orientation in (3, 4, 7, 8):
        values = values[:, ::-1]
    return values[:, :, ::-1] if orientation in (2, 3, 6, 7) else values
