"""The picture of an evaluation."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from shared.engine.drawing import new_figure
from shared.files import write_atomically

CROWDED = 12  # more names than this would run into each other in panels beside each other


def draw_scores(path: str | Path, scores: Mapping[str, Sequence[float]]) -> Path:
    """Draw the distribution over cases of each metric into a PNG: a panel a kind, as named `<kind>_<class>`."""
    kinds: dict[str, dict[str, list[float]]] = {}
    for name, values in scores.items():
        kind, _, group = re.sub("_(mm|px)_", r" (\1)_", name).partition("_")
        kinds.setdefault(kind, {})[group] = [v for v in values if np.isfinite(v)]
    most = max(map(len, kinds.values()))
    crowded = most > CROWDED  # then a panel has all of the width
    width, height = (0.3 * most + 1, 2.6 * len(kinds) + 2) if crowded else (3.2 * len(kinds), 3.6)
    figure = new_figure(figsize=(width, height), layout="constrained")
    panels = figure.subplots(len(kinds), 1, sharex=True) if crowded else figure.subplots(1, len(kinds))
    jitter = np.random.default_rng(0)
    for axes, (kind, groups) in zip(np.ravel(panels), kinds.items()):
        axes.boxplot(list(groups.values()), tick_labels=list(groups), showfliers=False, widths=0.5)
        for position, values in enumerate(groups.values(), start=1):
            across = position + jitter.uniform(-0.12, 0.12, len(values))
            axes.plot(across, values, "o", markersize=3, alpha=0.5)
        axes.set_title(kind)
        axes.tick_params(axis="x", labelrotation=90 if crowded else 30)
        axes.grid(axis="y", alpha=0.3)
    return write_atomically(path, lambda temporary: figure.savefig(temporary, dpi=110))
