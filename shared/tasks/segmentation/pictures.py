"""Pictures of images with their label maps drawn on."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from PIL import Image

from shared.engine.canvas import MARGIN, caption, legend, panel, save_picture, side_by_side, stacked, write_label
from shared.engine.drawing import COLOURS, LARGEST_PICTURE
from shared.engine.outlines import draw_lines, outlines_of

# The three planes of a volume in RAS: name, the axis that is cut, and the letters left, right, bottom and top.
# The patient's right is shown on the left, as radiologists look.
PLANES = (("sagittal", 0, "PAIS"), ("coronal", 1, "RLIS"), ("axial", 2, "RLPA"))

LINE_WIDTH, THIN_LINE = 2, 1.5  # pixels; thin where the picture is thinned out, and with it what they go round
PANEL_HEIGHT = 400  # pixels, of a plane of a volume
SMALLEST_PICTURE = 800  # pixels on the longer side of a 2D image, so that a line does not hide what it goes round
NARROWEST = 480  # pixels, so that a title can be read


@dataclass(frozen=True)
class View:
    """What is seen of an image and its label maps: (rows, columns[, 3]) from 0 to 1, and (rows, columns).

    aspect: width of a pixel by its height. letters: of the sides left, right, bottom and top.
    """

    picture: np.ndarray
    maps: Sequence[np.ndarray]
    aspect: float = 1.0
    name: str = ""
    letters: str = ""


def draw_overlay(
    path: str | Path,
    image: np.ndarray,
    labels: np.ndarray,
    *,
    class_names: Sequence[str],
    affine: np.ndarray,
    reference: np.ndarray | None = None,
    title: str = "",
    colours: Sequence[str] = COLOURS,
    central: bool = False,
) -> Path:
    """Draw `image` with the outlines of `labels` into a PNG: a 2D image whole, a volume as three orthogonal slices.

    image: (C, *S), C = 1 for a volume. labels, reference: (*S); `reference` outlines are dotted. affine: voxels to
    mm, RAS; it turns volumes into the usual view and gives pixels their aspect. Each slice is the one with most
    labelled voxels, or, `central`, the one through the middle of all of them. colours: of the classes but the first, in
    turn; classes of one name share a line of the legend, in the colour of the first.
    """
    volume = labels.ndim == 3
    maps = [labels] if reference is None else [labels, reference]
    step = 1 if volume else -(-max(labels.shape) // LARGEST_PICTURE)
    if step > 1:
        image, maps = image[:, ::step, ::step], [m[::step, ::step] for m in maps]
    image = image[:3]  # without alpha
    low, high = np.percentile(image, (0.5, 99.5))
    image = np.clip((image - low) / max(high - low, 1e-6), 0, 1)
    views = _planes(image[0], maps, affine, central=central) if volume else [View(_as_picture(image), maps)]
    line = LINE_WIDTH if step == 1 else THIN_LINE
    panels = [_drawn(view, _size(view, volume=volume), line, colours) for view in views]
    body = side_by_side(panels, gap=2 * MARGIN)
    width = max(body.width, NARROWEST)
    names = side_by_side([caption(view.name, p.width) for view, p in zip(views, panels)], gap=2 * MARGIN)
    present = np.unique(np.concatenate([np.unique(m) for m in maps]))
    entries = _entries(class_names, present, colours)
    heading = caption(title + ("" if reference is None else "  (dotted: reference)"), width)
    parts = [heading, *([names] if volume else []), body, *([legend(entries, width)] if entries else [])]
    return save_picture(path, stacked(parts, gap=MARGIN // 2))


def _entries(class_names: Sequence[str], present: np.ndarray, colours: Sequence[str]) -> list[tuple[str, str]]:
    """Names and colours of a legend: a line for each name but that of the first class, which says if there is none."""
    classes: dict[str, list[int]] = {}
    for index, name in enumerate(class_names[1:], start=1):
        classes.setdefault(name, []).append(index)
    return [
        (name if np.isin(indices, present).any() else f"{name} (none)", _colour(indices[0], colours))
        for name, indices in classes.items()
    ]


def _planes(image: np.ndarray, maps: Sequence[np.ndarray], affine: np.ndarray, *, central: bool = False) -> list[View]:
    """The three planes of a volume."""
    to_ras = nib.io_orientation(affine)
    image, *maps = (nib.apply_orientation(volume, to_ras) for volume in (image, *maps))
    zooms = np.linalg.norm((affine @ nib.orientations.inv_ornt_aff(to_ras, image.shape))[:3, :3], axis=0)
    views = []
    for name, axis, letters in PLANES:
        index = (_middle_slice if central else _fullest_slice)(maps[0], axis)
        picture, *outlines = (_as_seen(np.take(volume, index, axis), axis) for volume in (image, *maps))
        across, up = np.delete(zooms, axis)
        views.append(View(picture, outlines, across / up, name, letters))
    return views


def _as_seen(plane: np.ndarray, axis: int) -> np.ndarray:
    """A slice of a RAS volume as rows from the top and columns from the left; R is left, save in the sagittal view."""
    upright = plane.T[::-1]
    return upright if axis == 0 else upright[:, ::-1]


def _as_picture(image: np.ndarray) -> np.ndarray:
    """(C, rows, columns) as pictures have it: colour, or gray."""
    return np.moveaxis(image, 0, -1) if len(image) == 3 else image[0]


def _fullest_slice(labels: np.ndarray, axis: int) -> int:
    """The slice across `axis` with most labelled voxels, or the middle one where there are none."""
    areas = (labels > 0).sum(axis=tuple(a for a in range(labels.ndim) if a != axis))
    return int(areas.argmax()) if areas.any() else labels.shape[axis] // 2


def _middle_slice(labels: np.ndarray, axis: int) -> int:
    """The slice across `axis` through the middle of the labelled voxels, or the middle one where there are none."""
    areas = (labels > 0).sum(axis=tuple(a for a in range(labels.ndim) if a != axis))
    return round(np.average(np.arange(len(areas)), weights=areas)) if areas.any() else labels.shape[axis] // 2


def _size(view: View, *, volume: bool) -> tuple[int, int]:
    """Width and height of a view's panel in pixels: of volumes of one height, whose widths follow the slices, in mm."""
    rows, columns = view.picture.shape[:2]
    if volume:
        width = PANEL_HEIGHT * columns * view.aspect / rows
        scale = min(1.0, LARGEST_PICTURE / width)
        return max(1, round(scale * width)), max(1, round(scale * PANEL_HEIGHT))
    scale = max(1.0, SMALLEST_PICTURE / max(rows, columns))
    return max(1, round(columns * scale)), max(1, round(rows * scale))


def _drawn(view: View, size: tuple[int, int], line_width: float, colours: Sequence[str]) -> Image.Image:
    picture = panel(view.picture, size)
    scale = np.array(size) / view.picture.shape[1::-1]
    for labels, dotted in zip(view.maps, (False, True)):
        for index, lines in outlines_of(labels).items():
            colour = _colour(index, colours)
            draw_lines(picture, [scale * line for line in lines], colour, width=line_width, dotted=dotted)
    across, down = (np.array([0.03, 0.97, 0.5, 0.5]) * size[0], np.array([0.5, 0.5, 0.97, 0.03]) * size[1])
    for letter, x, y in zip(view.letters, across, down):
        write_label(picture, (x, y), letter, ground="black", fill="white", anchor="mm", opacity=0.6)
    return picture


def _colour(index: int, colours: Sequence[str]) -> str:
    return colours[(index - 1) % len(colours)]
