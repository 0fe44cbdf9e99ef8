"""Pictures put together from arrays, without axes: panels beside each other, a title above and a legend below."""

import math
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageColor, ImageDraw, ImageFont

from shared.errors import printable
from shared.files import write_atomically

WHITE = "white"
TEXT_SIZE = 14  # pixels
MARGIN = 8  # pixels beside legends and between panels
SMOOTH_BELOW = 3  # enlarged less than this, repeated pixels would differ in size


def save_picture(path: str | Path, picture: Image.Image) -> Path:
    """Write an RGB picture as a PNG, packed lightly: as Pillow packs it, that takes twice as long as the drawing."""
    import imagecodecs

    content = imagecodecs.png_encode(np.asarray(picture), level=1, filter=imagecodecs.PNG.FILTER.UP)
    return write_atomically(path, lambda temporary: temporary.write_bytes(content))


def panel(values: np.ndarray, size: tuple[int, int]) -> Image.Image:
    """An RGB picture of `size`, (width, height) in pixels, of values from 0 to 1: (rows, columns), or of 3 channels."""
    gray = values[..., None] if values.ndim == 2 else values
    pixels = (np.broadcast_to(gray, (*gray.shape[:2], 3)) * 255 + 0.5).astype(np.uint8)
    enlarged = min(size[0] / gray.shape[1], size[1] / gray.shape[0])
    exact = enlarged >= SMOOTH_BELOW or enlarged == round(enlarged)
    return Image.fromarray(pixels).resize(size, Image.Resampling.NEAREST if exact else Image.Resampling.HAMMING)


def side_by_side(parts: Sequence[Image.Image], *, gap: int = MARGIN) -> Image.Image:
    """Pictures beside each other on white, their tops in a line."""
    page = Image.new("RGB", (sum(p.width for p in parts) + gap * (len(parts) - 1), max(p.height for p in parts)), WHITE)
    left = 0
    for part in parts:
        page.paste(part, (left, 0))
        left += part.width + gap
    return page


def stacked(parts: Sequence[Image.Image], *, gap: int = 0) -> Image.Image:
    """Pictures below each other on white, their middles in a line."""
    page = Image.new("RGB", (max(p.width for p in parts), sum(p.height for p in parts) + gap * (len(parts) - 1)), WHITE)
    top = 0
    for part in parts:
        page.paste(part, ((page.width - part.width) // 2, top))
        top += part.height + gap
    return page


def caption(text: str, width: int, *, size: int = TEXT_SIZE) -> Image.Image:
    """Text on white, centred, in as many lines as the width takes; names of files may hold anything."""
    lines = [part for line in text.split("\n") for part in _wrapped(printable(line), width - MARGIN, size)]
    height = round(1.5 * size)
    page = Image.new("RGB", (width, height * len(lines)), WHITE)
    draw = ImageDraw.Draw(page)
    for number, line in enumerate(lines):
        draw.text((width / 2, (number + 0.5) * height), line, fill="black", font=_font(size), anchor="mm")
    return page


def legend(entries: Sequence[tuple[str, str]], width: int) -> Image.Image:
    """Names behind a line of their colour, on white: as many beside each other as the width takes.

    entries: name and colour of each.
    """
    stroke, height = 2 * TEXT_SIZE, round(1.7 * TEXT_SIZE)
    widest = stroke + 3 * MARGIN + max(_width(name, TEXT_SIZE) for name, _ in entries)
    columns = max(1, min(len(entries), width // widest))
    lines = -(-len(entries) // columns)
    page = Image.new("RGB", (max(width, widest), lines * height), WHITE)
    draw = ImageDraw.Draw(page)
    for index, (name, colour) in enumerate(entries):
        line, column = divmod(index, columns)
        left, middle = (page.width - columns * widest) // 2 + column * widest + MARGIN, (line + 0.5) * height
        draw.line((left, middle, left + stroke, middle), fill=colour, width=4)
        draw.text((left + stroke + MARGIN, middle), name, fill="black", font=_font(TEXT_SIZE), anchor="lm")
    return page


def write_label(
    picture: Image.Image,
    place: tuple[float, float],
    text: str,
    *,
    ground: str,
    fill: str = "black",
    anchor: str = "lt",
    size: int = 11,
    opacity: float = 0.75,
) -> None:
    """Write `text` on a frame of the colour `ground` into a picture.

    place: x and y in pixels, of the corner of the frame that `anchor` names as Pillow does, or "mm" of its middle.
    """
    width, height = _width(text, size) + 4, round(1.25 * size) + 2
    left = round(place[0] - (width / 2 if anchor[0] == "m" else 0))
    top = round(place[1] - (height / 2 if anchor[1] == "m" else 0))
    veil = Image.new("L", (width, height), round(255 * opacity))
    picture.paste(ground, (left, top), veil)
    ImageDraw.Draw(picture).text((left + width / 2, top + height / 2), text, fill=fill, font=_font(size), anchor="mm")


def colour_mapped(values: np.ndarray, colours: Sequence[str], limit: float) -> np.ndarray:
    """Values (rows, columns) as RGB (rows, columns, 3) from 0 to 1: `colours` at equal steps from -limit to limit."""
    anchors = np.array([ImageColor.getrgb(colour) for colour in colours]) / 255
    places = np.linspace(-limit, limit, len(anchors))
    return np.stack([np.interp(values, places, channel) for channel in anchors.T], axis=-1)


def _wrapped(line: str, width: int, size: int) -> list[str]:
    parts = []
    while len(line) > 1 and (wide := _width(line, size)) > width:
        fitting = max(1, math.floor(len(line) * width / wide))
        parts.append(line[:fitting])
        line = line[fitting:]
    return [*parts, line]


def _width(text: str, size: int) -> int:
    return math.ceil(_font(size).getlength(text))


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which matplotlib brings along; it is found without importing that."""
    package = find_spec("matplotlib")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("matplotlib, whose letters pictures are labelled in, is not installed")
    fonts = Path(package.origin).parent / "mpl-data" / "fonts" / "ttf"
    return ImageFont.truetype(str(fonts / "DejaVuSans.ttf"), size, layout_engine=ImageFont.Layout.BASIC)
