"""The pictures of a registered pair."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from shared.engine.canvas import caption, colour_mapped, panel, save_picture, side_by_side, stacked, write_label
from shared.engine.outlines import draw_lines, outlines_of
from shared.tasks.registration.views import all_turned, cuts_of, grid_lines, plane, scaled, turned, turned_vectors

COLUMN_WIDTH, FUSED_WIDTH = 200, 320  # pixels, of a panel of either picture
BAR_WIDTH = 48  # pixels, of the scale of colours with its numbers
TALLEST = 2  # times as high as a column is wide: a plane that is higher is made narrower
LOG_JACOBIAN_RANGE = 1.0  # colours end at volumes changed by a factor of e
# ColorBrewer's RdBu and PuOr, and ten colours for labels.
RED_TO_BLUE = (
    "#67001f", "#b2182b", "#d6604d", "#f4a582", "#fddbc7", "#f7f7f7", "#d1e5f0", "#92c5de", "#4393c3", "#2166ac",
    "#053061",
)  # fmt: skip
ORANGE_TO_PURPLE = (
    "#7f3b08", "#b35806", "#e08214", "#fdb863", "#fee0b6", "#f7f7f7", "#d8daeb", "#b2abd2", "#8073ac", "#542788",
    "#2d004b",
)  # fmt: skip
LABEL_COLOURS = (
    "#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf"
)  # fmt: skip


def draw_registration(
    path: str | Path,
    images: Mapping[str, np.ndarray],
    displacement: np.ndarray,
    determinant: np.ndarray,
    *,
    outlines: Mapping[str, np.ndarray] | None = None,
    orientation: np.ndarray | None = None,
    title: str = "",
) -> Path:
    """Draw a pair into a PNG: fixed, moving, moved, differences before and after, deformed grid, log det J.

    images: "fixed", "moving" and "moved", (x, y[, z]), all on the fixed grid. displacement: (D, x, y[, z]), voxels.
    determinant: det J, (x, y[, z]); folds are marked red. outlines: label maps of some of the images, by name.
    orientation: see `upright`. A volume is drawn as its three middle slices, a row each; x goes right, the next axis
    up.
    """
    images = {name: scaled(image) for name, image in all_turned(images, orientation).items()}
    labels = all_turned(outlines or {}, orientation)
    determinant, displacement = turned(determinant, orientation), turned_vectors(displacement, orientation)
    rows = []
    for cut in cuts_of(images["fixed"]):
        planes, maps = ({name: plane(array, cut) for name, array in arrays.items()} for arrays in (images, labels))
        rows.append(panels_of(planes, maps, grid_lines(displacement, cut), plane(determinant, cut)))
    columns = [stacked([caption(name, COLUMN_WIDTH, size=12), *(row[name] for row in rows)], gap=4) for name in rows[0]]
    bars = stacked([caption("", BAR_WIDTH, size=12), *(_scale(row["log det J"].height) for row in rows)], gap=4)
    body = side_by_side([*columns, bars])
    return save_picture(path, stacked([caption(title, body.width), body]))


def draw_fused(
    path: str | Path, images: Mapping[str, np.ndarray], *, orientation: np.ndarray | None = None, title: str = ""
) -> Path:
    """Draw the fixed image in green with the moving one in magenta into a PNG, before and after: gray is agreement.

    images and orientation: as of `draw_registration`.
    """
    images = {name: scaled(image) for name, image in all_turned(images, orientation).items()}
    columns = []
    for name, when in (("moving", "before"), ("moved", "after")):
        panels = [from_below(picture, FUSED_WIDTH) for picture in fused(images["fixed"], images[name])]
        columns.append(stacked([caption(when, FUSED_WIDTH), *panels], gap=4))
    body = side_by_side(columns)
    return save_picture(path, stacked([caption(f"{title}\ngreen: fixed, magenta: moving", body.width), body]))


def panels_of(
    planes: Mapping[str, np.ndarray],
    labels: Mapping[str, np.ndarray],
    lines: Sequence[np.ndarray],
    determinant: np.ndarray,
) -> dict[str, Image.Image]:
    """A row of the picture of a pair, by the names of its columns: from planes, (rows, columns)."""
    panels = {name: labelled(planes[name], labels.get(name)) for name in ("fixed", "moving", "moved")}
    for when, name in (("before", "moving"), ("after", "moved")):
        difference = colour_mapped(planes[name] - planes["fixed"], RED_TO_BLUE, 1)
        panels[f"difference {when}"] = from_below(difference)
    return panels | {
        "deformed grid": drawn_grid(lines, determinant.shape), "log det J": from_below(log_jacobian(determinant))
    }  # fmt: skip


def fused(fixed: np.ndarray, other: np.ndarray) -> list[np.ndarray]:
    """The planes (rows, columns, RGB) of two images (*S) from 0 to 1, of which `fixed` is green."""
    planes = [(plane(other, cut), plane(fixed, cut)) for cut in cuts_of(fixed)]
    return [np.stack([magenta, green, magenta], axis=-1) for magenta, green in planes]


def log_jacobian(determinant: np.ndarray) -> np.ndarray:
    """The colours (rows, columns, RGB) of det J (rows, columns): orange shrinks, purple grows, red is folded."""
    colours = colour_mapped(np.log(np.clip(determinant, 1e-6, None)), ORANGE_TO_PURPLE, LOG_JACOBIAN_RANGE)
    colours[determinant <= 0] = (1, 0, 0)
    return colours


def from_below(picture: np.ndarray, width: int = COLUMN_WIDTH) -> Image.Image:
    """A panel of a plane (rows, columns[, RGB]), whose rows are from the bottom up."""
    return panel(picture[::-1], panel_size(picture.shape[:2], width))


def panel_size(shape: Sequence[int], width: int) -> tuple[int, int]:
    """Width and height, in pixels, of a panel of a plane (rows, columns)."""
    scale = min(width / shape[1], TALLEST * width / shape[0])
    return max(1, round(scale * shape[1])), max(1, round(scale * shape[0]))


def labelled(picture: np.ndarray, labels: np.ndarray | None) -> Image.Image:
    """A panel of a plane with the outlines of its labels, both (rows, columns)."""
    drawn = from_below(picture)
    scale = np.array(drawn.size) / picture.shape[::-1]
    for label, lines in outlines_of(labels[::-1]).items() if labels is not None else ():
        colour = LABEL_COLOURS[label % len(LABEL_COLOURS)]
        draw_lines(drawn, [scale * line for line in lines], colour, width=1)
    return drawn


def drawn_grid(lines: Sequence[np.ndarray], shape: Sequence[int]) -> Image.Image:
    """A panel of `grid_lines` on white; shape: of the plane."""
    drawn = from_below(np.ones(tuple(shape)))
    scale = np.array(drawn.size) / (shape[1], shape[0])
    draw_lines(drawn, [scale * ((0, shape[0]) + (1, -1) * (line + 0.5)) for line in lines], "black", width=0.5)
    return drawn


def _scale(height: int) -> Image.Image:
    """What the colours of log det J mean."""
    values = np.linspace(LOG_JACOBIAN_RANGE, -LOG_JACOBIAN_RANGE, 64)[:, None]
    page = Image.new("RGB", (BAR_WIDTH, height), "white")
    page.paste(panel(colour_mapped(values, ORANGE_TO_PURPLE, LOG_JACOBIAN_RANGE), (12, height)), (0, 0))
    for value, place in ((LOG_JACOBIAN_RANGE, 8), (0.0, height / 2), (-LOG_JACOBIAN_RANGE, height - 8)):
        write_label(page, (30, place), f"{value:g}", ground="white", anchor="mm")
    return page
