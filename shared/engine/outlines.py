"""Outlines of label maps, and lines drawn smoothly onto pictures."""

from collections.abc import Iterable

import numpy as np
from PIL import Image, ImageDraw
from scipy.ndimage import find_objects
from skimage.measure import find_contours

FINER = 2  # lines are drawn at this multiple of the size and averaged, which smooths their edges
GAP = 2.6  # from dot to dot, in widths of the line


def outlines_of(labels: np.ndarray) -> dict[int, list[np.ndarray]]:
    """The outlines of each id > 0 of a label map (rows, columns), closed at its border.

    Each is a line (N, 2) of x and y in pixels from the map's left top corner, so that pixel 0 is from 0 to 1.
    """
    ids = labels.astype(np.int32, copy=False)
    outlines = {}
    for number, place in enumerate(find_objects(ids), start=1):
        if place is not None:
            mask = np.pad(ids[place] == number, 1).astype(np.float32)
            corner = np.array([place[1].start, place[0].start]) - 0.5  # less the margin, plus half a pixel
            outlines[number] = [contour[:, ::-1] + corner for contour in find_contours(mask, 0.5)]
    return outlines


def draw_lines(
    picture: Image.Image, lines: Iterable[np.ndarray], colour: str, *, width: float = 2, dotted: bool = False
) -> None:
    """Draw lines into an RGB picture: each (N, 2), x and y in pixels. width: in pixels, by halves."""
    lines, thickness = list(lines), max(1, round(FINER * width))
    if not lines:
        return
    corners = np.concatenate(lines)
    first = np.maximum(np.floor(corners.min(axis=0) - width), 0).astype(int)
    last = np.minimum(np.ceil(corners.max(axis=0) + width), picture.size).astype(int)
    if (first >= last).any():  # beside the picture
        return
    mask = Image.new("L", tuple((FINER * (last - first)).tolist()))
    draw = ImageDraw.Draw(mask)
    for line in lines:
        points = FINER * (line - first)
        if not dotted:
            draw.line(points.ravel().tolist(), fill=255, width=thickness)
            continue
        for x, y in _equally_spaced(points, GAP * thickness):
            draw.ellipse([x - thickness / 2, y - thickness / 2, x + thickness / 2, y + thickness / 2], fill=255)
    picture.paste(colour, (int(first[0]), int(first[1])), mask.reduce(FINER))


def _equally_spaced(line: np.ndarray, step: float) -> np.ndarray:
    """Points (M, 2) on a line (N, 2), `step` from one to the next along it."""
    along = np.append(0, np.linalg.norm(np.diff(line, axis=0), axis=1).cumsum())
    wanted = np.arange(0, along[-1], step)
    return np.stack([np.interp(wanted, along, coordinate) for coordinate in line.T], axis=-1)
