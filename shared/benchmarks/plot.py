"""The ratios of a run as a picture."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from shared.benchmarks.tables import Row, with_ratios
from shared.files import write_atomically
from shared.studies.pictures import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OURS, PEERS = COLOURS[0], COLOURS[5]


def draw_ratios(path: str | Path, bundles: Mapping[str, Sequence[Row]]) -> Path:
    """Draw a panel a bundle into a PNG: a bar a method, its time for one image as a ratio to what is shipped.

    bundles: by name, the rows of their methods with "median_ms".
    """
    from matplotlib.figure import Figure  # 0.5 s to import, needed for pictures alone

    columns = min(2, len(bundles))
    lines = math.ceil(len(bundles) / columns)
    names = list(bundles)
    most = [max(len(bundles[name]) for name in names[line * columns :][:columns]) for line in range(lines)]
    figure = Figure(figsize=(8 * columns, 0.24 * sum(most) + 0.9 * lines + 0.4), layout="constrained")
    panels = figure.subplots(lines, columns, squeeze=False, sharex=True, height_ratios=most).ravel()
    for axes, (name, rows) in zip(panels, bundles.items()):
        _draw_panel(axes, name, rows)
    for axes in panels[len(bundles) :]:
        axes.set_axis_off()
    figure.suptitle("time for one image, × what is shipped: blue ours, orange peers; left of the line is faster")
    return write_atomically(path, lambda temporary: figure.savefig(temporary, dpi=100))


def _draw_panel(axes: "Axes", title: str, rows: Sequence[Row]) -> None:
    ratios = {row["method"]: row.get("× time") for row in with_ratios(rows)}
    shown = [ratio or 1.0 for ratio in ratios.values()]
    ours = [name.startswith("ours") for name in ratios]
    axes.barh(range(len(ratios)), [r - 1 for r in shown], left=1, color=[OURS if o else PEERS for o in ours])
    for place, ratio in enumerate(ratios.values()):
        text = "–" if ratio is None else f"{ratio:.2g}" if ratio < 10 else f"{ratio:.0f}"
        axes.annotate(
            text, (max(ratio or 1, 1), place), (4, 0), textcoords="offset points", va="center", fontsize=8
        )  # fmt: skip
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.margins(x=0.12, y=0.02)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("")
    axes.tick_params(axis="x", labelbottom=True)
    axes.set_yticks(range(len(ratios)), list(ratios), fontsize=8)
    axes.invert_yaxis()
    axes.set_title(title, fontsize=10)
    axes.grid(axis="x", alpha=0.3)
