"""A sheet of synthetic images, to be looked at."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from shared.files import write_atomically

GAP = 4  # pixels between images


def draw_sheet(path: str | Path, volumes: Sequence[Tensor], *, columns: int = 5, enlarged: int = 2) -> Path:
    """Write a PNG with the middle slice of each of `volumes`, (1, x, y, z) of 0 to 1, in rows of `columns`.

    Slices are sagittal, coronal and axial in turn; front or right is right, top or front is up.
    """
    slices = [_middle_slice(volume[0].numpy(), axis=number % 3) for number, volume in enumerate(volumes)]
    height, width = (max(s.shape[axis] for s in slices) + GAP for axis in (0, 1))
    sheet = np.full((height * -(-len(slices) // columns) - GAP, width * columns - GAP), 255, np.uint8)
    for number, image in enumerate(slices):
        row, column = divmod(number, columns)
        below, right = (side - GAP for side in (height, width))
        tile = sheet[row * height : row * height + below, column * width : column * width + right]
        tile[:] = 0
        top, left = ((room - side) // 2 for room, side in zip(tile.shape, image.shape))
        tile[top : top + image.shape[0], left : left + image.shape[1]] = np.round(255 * image)
    picture = Image.fromarray(sheet.repeat(enlarged, axis=0).repeat(enlarged, axis=1))
    return write_atomically(path, lambda temporary: picture.save(temporary, optimize=True))


def _middle_slice(volume: np.ndarray, axis: int) -> np.ndarray:
    """(rows, columns) of the slice in the middle along `axis`, upright."""
    return volume.take(volume.shape[axis] // 2, axis=axis).T[::-1]
