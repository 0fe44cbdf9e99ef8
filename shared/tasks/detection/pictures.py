"""Pictures of images with the objects found in them, and of how a detector did."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import ImageDraw

from shared.engine.canvas import MARGIN, caption, legend, panel, save_picture, stacked, write_label
from shared.engine.drawing import COLOURS, LARGEST_PICTURE, new_figure
from shared.engine.outlines import draw_lines
from shared.files import write_atomically

if TYPE_CHECKING:
    from torch import Tensor

SMALLEST_PICTURE = 1280  # pixels on the longer side, so that a label can be read
LINE_WIDTH = 2  # pixels
NARROWEST = 480  # pixels, so that a title can be read
NAMED = 150  # boxes with their names: more of them would hide the picture


def draw_boxes(
    path: str | Path,
    image: np.ndarray,
    found: np.ndarray,
    *,
    class_names: Sequence[str],
    title: str = "",
    reference: "Tensor | None" = None,
) -> Path:
    """Draw `image` with boxes, their class and score, into a PNG.

    image: (C, rows, columns). found: (K, 6), corners (row1, column1, row2, column2), score, class. reference: (M, 5),
    corners and class, is dotted.
    """
    rows, columns = image.shape[1:]
    scale = np.clip(1, SMALLEST_PICTURE / max(rows, columns), LARGEST_PICTURE / max(rows, columns))
    picture = panel(as_picture(image), (max(1, round(columns * scale)), max(1, round(rows * scale))))
    draw = ImageDraw.Draw(picture)
    for r1, c1, r2, c2, _, label in found.tolist():
        corners = [round(scale * x) for x in (c1, r1, c2, r2)]
        draw.rectangle(corners, outline=_colour(int(label)), width=LINE_WIDTH)
    for *box, score, label in found.tolist() if len(found) <= NAMED else []:
        text = f"{class_names[int(label)]} {score:.2f}"
        write_label(picture, (scale * box[1] + 1, scale * box[0] + 1), text, ground=_colour(int(label)))
    for *box, label in [] if reference is None else reference.tolist():
        draw_lines(picture, [scale * _around(box)], _colour(int(label)), width=LINE_WIDTH, dotted=True)
    labels = [int(label) for label in found[:, 5].tolist()]
    entries = [(f"{name}: {labels.count(index)}", _colour(index)) for index, name in enumerate(class_names)]
    width = max(picture.width, NARROWEST)
    heading = caption(title + ("" if reference is None else "  (dotted: reference)"), width)
    return save_picture(path, stacked([heading, picture, legend(entries, width)], gap=MARGIN // 2))


def as_picture(image: np.ndarray) -> np.ndarray:
    """(C, rows, columns) from its least to its largest value, as pictures have it: colour, or gray; thinned out."""
    step = -(-max(image.shape[1:]) // LARGEST_PICTURE)
    image = image[: 3 if len(image) >= 3 else 1, ::step, ::step].astype(np.float32)
    low, high = image.min(), image.max()
    image = (image - low) / max(float(high - low), 1e-6)
    return np.moveaxis(image, 0, -1) if len(image) == 3 else image[0]


def draw_detection_scores(
    path: str | Path,
    *,
    curves: Mapping[str, np.ndarray],
    pairs: np.ndarray,
    counts: Mapping[str, Sequence[tuple[int, int]]],
    class_names: Sequence[str],
) -> Path:
    """Draw precision by recall, the confusion matrix, and found against true counts into a PNG of three panels.

    curves, pairs: as `precision_curves` and `confusion` give them. counts: of each class (true, found) by image.
    """
    figure = new_figure(figsize=(13, 4.2), layout="constrained")
    recall, matrix, counting = figure.subplots(1, 3)
    for index, name in enumerate(class_names):
        for curve, style in zip(curves.get(name, ()), ("solid", "dashed")):
            label = f"{name}, AP {curve.mean():.3f}" if style == "solid" else None
            recall.plot(np.linspace(0, 1, len(curve)), curve, linestyle=style, color=_colour(index), label=label)
        values = np.array(counts[name], dtype=float).reshape(-1, 2)
        jitter = np.random.default_rng(0).uniform(-0.2, 0.2, values.shape)
        counting.plot(*(values + jitter).T, "o", markersize=3, alpha=0.5, color=_colour(index), label=name)
    recall.set(xlabel="recall", ylabel="precision", title="IoU 0.5 (dashed: 0.75)", xlim=(0, 1), ylim=(0, 1.02))
    most = max((max(pair) for pairs_ in counts.values() for pair in pairs_), default=1)
    counting.plot([0, most], [0, most], color="gray", linewidth=1)
    counting.set(xlabel="objects in an image", ylabel="found", title="counts")
    for axes in (recall, counting):
        axes.legend(fontsize=8)
        axes.grid(alpha=0.3)
    names = [*class_names, "nothing"]
    share = pairs / np.maximum(pairs.sum(axis=1, keepdims=True), 1)
    matrix.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(pairs):
        if (row, column) != (len(names) - 1, len(names) - 1):
            matrix.text(column, row, count, ha="center", va="center", color="w" if share[row, column] > 0.5 else "k")
    places = range(len(names))
    matrix.set(xticks=places, yticks=places, xticklabels=names, yticklabels=names, xlabel="found", ylabel="true")
    matrix.tick_params(axis="x", labelrotation=30)
    matrix.set_title("confusions at IoU 0.5")
    return write_atomically(path, lambda temporary: figure.savefig(temporary, dpi=110))


def _around(box: Sequence[float]) -> np.ndarray:
    """The corners (x, y) of a box (row1, column1, row2, column2), the first one again at the end."""
    r1, c1, r2, c2 = box
    return np.array([(c1, r1), (c2, r1), (c2, r2), (c1, r2), (c1, r1)])


def _colour(index: int) -> str:
    return COLOURS[index % len(COLOURS)]
