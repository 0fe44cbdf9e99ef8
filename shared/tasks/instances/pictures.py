"""Pictures of instances: outlines in colours that tell neighbours apart, and a sheet of the worst cases."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import uniform_filter
from skimage.color import hsv2rgb

from shared.engine.canvas import MARGIN, caption, save_picture, side_by_side, stacked
from shared.engine.drawing import LARGEST_PICTURE
from shared.tasks.instances.widths import typical_width

SMALLEST_PICTURE = 768  # pixels on the longer side, so that an outline of a pixel does not hide a nucleus
LINE_WIDTH = (2, 4)  # pixels, within an instance
LINE_SHARE = 1 / 7  # of the width of a typical instance, so that its inside is still seen
SHEET_SIDE = 512  # pixels, of a picture in a sheet
GOLDEN_RATIO = 0.618034  # of the colour circle: whatever their number, ids that follow each other look unlike


def draw_instances(path: str | Path, image: np.ndarray, ids: np.ndarray) -> Path:
    """Draw `image`, (C, rows, columns), with the outline of each of `ids`, (rows, columns), into a PNG."""
    return save_picture(path, Image.fromarray(outlined(image, ids, within=(SMALLEST_PICTURE, LARGEST_PICTURE))))


def outlined(image: np.ndarray, ids: np.ndarray, *, within: tuple[int, int]) -> np.ndarray:
    """The picture (rows, columns, 3), uint8, of `draw_instances`.

    within: sides between which that of the picture is, by repeating or leaving out pixels. Outlines are as wide as
    LINE_SHARE and LINE_WIDTH have it.
    """
    scale = np.clip(1.0, within[0] / max(ids.shape), within[1] / max(ids.shape))
    sides = [max(1, round(scale * side)) for side in ids.shape]
    rows, columns = (np.arange(new) * old // new for new, old in zip(sides, ids.shape))
    image, ids = image[:3][:, rows[:, None], columns], ids[rows[:, None], columns]
    low, high = np.percentile(image, (0.2, 99.8))
    gray = np.clip((image - low) / max(float(high - low), 1e-6), 0, 1)
    picture = np.moveaxis(np.broadcast_to(gray[: 3 if len(gray) == 3 else 1], (3, *ids.shape)), 0, -1)
    border = np.zeros(ids.shape, dtype=bool)
    for apart in range(1, _line_width(ids) + 1):
        for this, other in ((ids, border), (ids.T, border.T)):
            change = this[apart:] != this[:-apart]
            other[apart:] |= change
            other[:-apart] |= change
    border &= ids > 0
    picture = (255 * picture).astype(np.uint8)
    picture[border] = (255 * _colours(ids[border])).astype(np.uint8)
    return picture


def draw_sheet(path: str | Path, cases: Sequence[tuple[str, np.ndarray, np.ndarray, np.ndarray]]) -> Path:
    """Draw cases side by side, what was found above the reference: (title, image, found, reference) of each.

    Of a picture larger than SHEET_SIDE the part is drawn where most of what was found is not as the reference has it.
    """
    columns = min(5, len(cases))
    lines = [cases[start : start + columns] for start in range(0, len(cases), columns)]
    parts = [side_by_side([_compared(*case) for case in line]) for line in lines]
    return save_picture(path, stacked(parts, gap=MARGIN))


def _compared(title: str, image: np.ndarray, found: np.ndarray, reference: np.ndarray) -> Image.Image:
    """A case of a sheet: what was found above the reference, each in a square."""
    parts = []
    window = _worst_window((found > 0) != (reference > 0))
    for name, ids in ((title, found), ("reference", reference)):
        picture = Image.new("RGB", (SHEET_SIDE, SHEET_SIDE), "white")
        drawn = Image.fromarray(outlined(image[:, *window], ids[window], within=(SHEET_SIDE, SHEET_SIDE)))
        picture.paste(drawn, ((SHEET_SIDE - drawn.width) // 2, (SHEET_SIDE - drawn.height) // 2))
        parts += [caption(name, SHEET_SIDE), picture]
    return stacked(parts)


def _worst_window(wrong: np.ndarray) -> tuple[slice, ...]:
    """The part of a picture, at most SHEET_SIDE high and wide, with most `wrong` pixels, (rows, columns).

    Those in its middle count most, so that what is wrong is not at its border.
    """
    spans = [min(SHEET_SIDE, length) for length in wrong.shape]
    shares = wrong.astype(np.float32)
    for _ in range(2):
        shares = uniform_filter(shares, [max(1, span // 2) for span in spans], mode="constant")
    centre = np.unravel_index(shares.argmax(), wrong.shape)
    lows = [int(np.clip(at - span // 2, 0, length - span)) for at, span, length in zip(centre, spans, wrong.shape)]
    return tuple(slice(low, low + span) for low, span in zip(lows, spans))


def _line_width(ids: np.ndarray) -> int:
    """Of the outlines of ids (rows, columns), in pixels."""
    return round(float(np.clip(LINE_SHARE * (typical_width(ids) or 0), *LINE_WIDTH)))


def _colours(ids: np.ndarray) -> np.ndarray:
    """A bright colour (N, 3), 0 to 1, for each of ids (N)."""
    hue = (ids * GOLDEN_RATIO) % 1
    return hsv2rgb(np.stack([hue, np.full_like(hue, 0.75), np.ones_like(hue)], axis=-1))
