"""The pictures of a study that compares networks: convergence, robustness, and what each makes of chosen places."""

import math
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path

import numpy as np

from shared.files import write_atomically

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")  # Okabe and Ito's, for a white ground
Curve = tuple[Sequence[float], Sequence[Sequence[float]]]  # x, and the y of each repetition


def draw_curves(
    path: str | Path,
    panels: Mapping[str, Mapping[str, Curve]],
    *,
    ylabel: str,
    baseline: str | None = None,
    columns: int | None = None,
    ticks: Mapping[str, Sequence[str]] | None = None,
) -> Path:
    """Draw a panel a title into a PNG: each network's mean over its repetitions, their range shaded.

    baseline: a network beside whose best mean a dotted line at 99 % is drawn. columns: of panels; all in one row
    without. ticks: what stands at each x of a panel, where that is not x.
    """
    from matplotlib.figure import Figure  # 0.5 s to import, needed for pictures alone

    columns = columns or len(panels)
    rows = math.ceil(len(panels) / columns)
    figure = Figure(figsize=(max(3.6 * columns, 7), 3.4 * rows + 1), layout="constrained")
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False)
    for axes, (title, curves) in zip(grid.flat, panels.items()):
        for colour, (name, (x, repetitions)) in zip(COLOURS, curves.items()):
            y = np.asarray(repetitions)
            axes.plot(x, y.mean(axis=0), "o-", markersize=3, color=colour, label=name)
            axes.fill_between(x, y.min(axis=0), y.max(axis=0), color=colour, alpha=0.15, linewidth=0)
            if name == baseline:
                goal = 0.99 * y.mean(axis=0).max()
                axes.axhline(goal, color="black", linestyle=":", linewidth=1)
                axes.text(x[-1], goal, f"99 % of {name}'s best", ha="right", va="top", fontsize=8)
        if ticks and title in ticks:
            axes.set_xticks(x, ticks[title])
        axes.set_xlabel(title)
        axes.grid(alpha=0.3)
    for axes in grid[:, 0]:
        axes.set_ylabel(ylabel)
    for axes in grid.flat[len(panels) :]:
        axes.remove()
    handles, names = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names), frameon=False)
    return write_atomically(path, lambda temporary: figure.savefig(temporary, dpi=110))


def draw_lines(
    path: str | Path,
    panels: Mapping[str, Mapping[str, tuple[Sequence[float], Sequence[float]]]],
    *,
    xlabel: str,
    ticks: Sequence[str],
) -> Path:
    """Draw a panel a quantity into a PNG: the x, on a logarithmic scale, and y of each network.

    panels: quantity -> networks, of which the x are the same. ticks: what stands at each x.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.6 * max(len(panels), 2), 3.8), layout="constrained")
    row = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, (quantity, lines) in zip(row, panels.items()):
        for colour, (name, (x, y)) in zip(COLOURS, lines.items()):
            axes.plot(x, y, "o-", markersize=3, color=colour, label=name)
        axes.set(xlabel=xlabel, ylabel=quantity, xscale="log")
        axes.set_xticks(x, ticks)
        axes.minorticks_off()
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8, frameon=False)
    return write_atomically(path, lambda temporary: figure.savefig(temporary, dpi=110))


def draw_front(
    path: str | Path,
    panels: Mapping[str, tuple[Mapping[str, tuple[float, float]], Sequence[str]]],
    *,
    xlabel: str,
    ylabel: str,
) -> Path:
    """Draw a panel a title into a PNG: each network at its (x, y), and a line through those of the front, by x.

    panels: title -> networks, and the names of those on the front in the order of x. Lower x and higher y are better.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6 * len(panels), 4.4), layout="constrained")
    row = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, (title, (networks, front)) in zip(row, panels.items()):
        x, y = zip(*(networks[name] for name in front))
        axes.plot(x, y, color="black", linewidth=1, linestyle="--", zorder=1)
        for colour, (name, (time, score)) in zip(cycle(COLOURS), networks.items()):  # names tell them apart, too
            axes.scatter(time, score, s=45, color=colour, zorder=2)
            axes.annotate(name, (time, score), textcoords="offset points", xytext=(7, -11), fontsize=9)
        axes.set(title=title, xlabel=xlabel, ylabel=ylabel)
        axes.margins(x=0.2, y=0.12)
        axes.grid(alpha=0.3)
    return write_atomically(path, lambda temporary: figure.savefig(temporary, dpi=110))


def draw_comparison(path: str | Path, rows: Mapping[str, Mapping[str, tuple[np.ndarray, str]]]) -> Path:
    """Draw a row a title into a PNG: pictures (rows, columns) beside each other, each with a caption.

    Pictures of unsigned 8-bit integers are label maps, and class 0 is black in all of a row.
    """
    from matplotlib.figure import Figure

    columns = len(next(iter(rows.values())))
    figure = Figure(figsize=(2.6 * columns, 2.9 * len(rows) + 0.2), layout="constrained")
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for line, (title, pictures) in zip(grid, rows.items()):
        highest = max((p.max() for p, _ in pictures.values() if p.dtype == np.uint8), default=1)
        for axes, (name, (picture, caption)) in zip(line, pictures.items()):
            limits = {"vmin": 0, "vmax": max(highest, 1)} if picture.dtype == np.uint8 else {}
            axes.imshow(picture, cmap="gray", interpolation="nearest", **limits)
            axes.set(xticks=[], yticks=[])
            axes.set_title(f"{name}\n{caption}" if caption else name, fontsize=9)
        line[0].set_ylabel(title, fontsize=10)
    return write_atomically(path, lambda temporary: figure.savefig(temporary, dpi=100))
