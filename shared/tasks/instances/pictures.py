"""Pictures of instances: outlines in colours that tell neighbours apart, and a sheet of the worst cases."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from skimage.color import hsv2rgb

from shared.engine.drawing import LARGEST_PICTURE, new_figure
from shared.files import write_atomically

SMALLEST_PICTURE = 768  # pixels on the longer side, so that an outline of a pixel does not hide a nucleus
GOLDEN_RATIO = 0.618034  # of the colour circle: whatever their number, ids that follow each other look unlike


def draw_instances(path: str | Path, image: np.ndarray, ids: np.ndarray) -> Path:
    """Draw `image`, (C, rows, columns), with the outline of each of `ids`, (rows, columns), into a PNG."""
    picture = Image.fromarray(outlined(image, ids, within=(SMALLEST_PICTURE, LARGEST_PICTURE)))
    return write_atomically(path, lambda temporary: picture.save(temporary, compress_level=1))


def outlined(image: np.ndarray, ids: np.ndarray, *, within: tuple[int, int]) -> np.ndarray:
    """The picture (rows, columns, 3), uint8, of `draw_instances`.

    within: sides between which that of the picture is, by repeating or leaving out pixels.
    """
    longer = max(ids.shape)
    step, repeats = -(-longer // within[1]), max(1, within[0] // longer)
    image, ids = image[:3, ::step, ::step], ids[::step, ::step]
    low, high = np.percentile(image, (0.2, 99.8))
    gray = np.clip((image - low) / max(float(high - low), 1e-6), 0, 1)
    picture = np.moveaxis(np.broadcast_to(gray[: 3 if len(gray) == 3 else 1], (3, *ids.shape)), 0, -1)
    picture, ids = (x.repeat(repeats, axis=0).repeat(repeats, axis=1) for x in (picture, ids))
    border = np.zeros(ids.shape, dtype=bool)
    for axis in (0, 1):
        change = np.diff(ids, axis=axis) != 0
        border |= np.pad(change, [(0, 1) if a == axis else (0, 0) for a in (0, 1)])
        border |= np.pad(change, [(1, 0) if a == axis else (0, 0) for a in (0, 1)])
    border &= ids > 0
    picture = (255 * picture).astype(np.uint8)
    picture[border] = (255 * _colours(ids[border])).astype(np.uint8)
    return picture


def draw_sheet(path: str | Path, cases: Sequence[tuple[str, np.ndarray, np.ndarray, np.ndarray]]) -> Path:
    """Draw cases side by side, what was found above the reference: (title, image, found, reference) of each."""
    columns = min(5, len(cases))
    lines = -(-len(cases) // columns)
    figure = new_figure(figsize=(3.2 * columns, 6.9 * lines), layout="constrained")
    panels = figure.subplots(2 * lines, columns, squeeze=False)
    for axes in panels.ravel():
        axes.set_axis_off()
    for index, (title, image, found, reference) in enumerate(cases):
        line, column = divmod(index, columns)
        for row, ids, name in ((2 * line, found, title), (2 * line + 1, reference, "reference")):
            panels[row, column].imshow(outlined(image, ids, within=(512, 1024)))
            panels[row, column].set_title(name, fontsize=8)
    return write_atomically(path, lambda temporary: figure.savefig(temporary, dpi=90))


def _colours(ids: np.ndarray) -> np.ndarray:
    """A bright colour (N, 3), 0 to 1, for each of ids (N)."""
    hue = (ids * GOLDEN_RATIO) % 1
    return hsv2rgb(np.stack([hue, np.full_like(hue, 0.75), np.ones_like(hue)], axis=-1))
