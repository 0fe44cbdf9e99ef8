"""Pictures of explanations: maps beside the view, and how answers hold."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from shared.engine.canvas import caption, colour_mapped, panel, save_picture, side_by_side, stacked
from shared.engine.drawing import new_figure
from shared.files import write_atomically

PANEL = 320  # pixels, the longer side of a panel
HEAT = ("#000000", "#D55E00", "#F0E442", "#FFFFFF")  # nothing to most
STRONGEST = 99.5  # percentile of a map that is white
TITLES = {
    "view": "as the network sees it", "saliency": "saliency (SmoothGrad)", "guided": "guided backpropagation",
    "occlusion": "occlusion: lost where hidden",
}  # fmt: skip
LABELS = {"fgsm": "step against the evidence (FGSM)", "noise": "step at random"}


def draw_maps(path: str | Path, view: np.ndarray, maps: Mapping[str, np.ndarray], *, title: str) -> Path:
    """Draw a view, (C, *V), and beside it each of `maps`, (*V), into a PNG.

    A volume has a row for the slice across each axis that lies in the middle of the first map's weight. Pixels are the
    network's, square. What is below 0 in a map is black.
    """
    first = next(iter(maps.values()))
    heats = {name: np.clip(values / _strongest(values), 0, 1) for name, values in maps.items()}
    rows = []
    for cut in [None] if first.ndim == 2 else range(first.ndim):
        index = 0 if cut is None else _middle(first, cut)
        image = _scaled(np.stack([_plane(channel, cut, index) for channel in view], axis=-1))
        panels = [_panel(image if image.shape[-1] == 3 else image[..., 0])]
        for values in heats.values():
            panels.append(_panel(colour_mapped(2 * _plane(values, cut, index) - 1, HEAT, 1.0)))
        rows.append(panels)
    widths = [max(row[column].width for row in rows) for column in range(len(rows[0]))]
    titles = side_by_side([caption(TITLES[name], width) for name, width in zip(["view", *maps], widths)])
    lines = [side_by_side([_centred(p, width) for p, width in zip(row, widths)]) for row in rows]
    return save_picture(path, stacked([caption(title, titles.width), titles, *lines], gap=4))


def draw_curves(path: str | Path, epsilons: Sequence[float], curves: Mapping[str, np.ndarray]) -> Path:
    """Draw agreements, (cases, E) by name, over `epsilons` into a PNG: a thin line a case, a thick one for the mean."""
    figure = new_figure(figsize=(5, 3.6), layout="constrained")
    axes = figure.subplots()
    for number, (name, values) in enumerate(curves.items()):
        axes.plot(epsilons, values.T, color=f"C{number}", linewidth=0.6, alpha=0.4)
        axes.plot(epsilons, values.mean(axis=0), color=f"C{number}", linewidth=2, label=LABELS[name])
    axes.set(xlabel="change, as a fraction of the range", ylabel="agreement with the answer", ylim=(-0.02, 1.02))
    axes.legend()
    axes.grid(alpha=0.3)
    return write_atomically(path, lambda temporary: figure.savefig(temporary, dpi=110, format="png"))


def _plane(volume: np.ndarray, cut: int | None, index: int) -> np.ndarray:
    """A picture as it is, or a slice of a volume, to the right, front and top, with the last of these upwards."""
    return volume if cut is None else np.take(volume, index, cut).T[::-1]


def _middle(values: np.ndarray, axis: int) -> int:
    weights = np.abs(values).sum(axis=tuple(a for a in range(values.ndim) if a != axis))
    return round(float(np.average(np.arange(len(weights)), weights=weights))) if weights.any() else len(weights) // 2


def _scaled(image: np.ndarray) -> np.ndarray:
    low, high = image.min(), image.max()
    return (image - low) / max(high - low, 1e-6)


def _strongest(values: np.ndarray) -> float:
    """What counts as 1; of a map of a few bright pixels, in which the percentile is 0, their greatest."""
    return max(float(np.percentile(values, STRONGEST)) or float(values.max()), 1e-12)


def _panel(picture: np.ndarray) -> Image.Image:
    rows, columns = picture.shape[:2]
    scale = PANEL / max(rows, columns)
    return panel(picture, (max(1, round(columns * scale)), max(1, round(rows * scale))))


def _centred(picture: Image.Image, width: int) -> Image.Image:
    page = Image.new("RGB", (width, picture.height), "white")
    page.paste(picture, ((width - picture.width) // 2, 0))
    return page
