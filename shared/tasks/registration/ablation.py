"""The picture that compares registrations of one pair, as NODEO's paper has it."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from shared.engine.drawing import new_figure
from shared.files import write_atomically
from shared.tasks.registration.views import cuts_of, grid_lines, plane, scaled, turned, turned_vectors


def draw_ablation(
    path: str | Path,
    columns: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray, str]],
    *,
    orientation: np.ndarray | None = None,
    images: bool = True,
) -> Path:
    """Draw registrations of one pair beside each other into a PNG: moved image, grid, |det J| and where det J ≤ 0.

    columns: by name, the moved image (*S), the displacement (D, *S) in voxels, det J (*S), and what is written below;
    of a volume its middle slice is drawn. orientation: see `upright`. images: without, the moved images are left out.
    Source: Wu et al., NODEO, CVPR 2022, fig. 4.
    """
    rows = ["moved image", "deformed grid", "|det J|", "det J ≤ 0"][0 if images else 1 :]
    figure = new_figure(figsize=(2.2 * len(columns) + 0.9, 2.5 * len(rows) + 0.3), layout="constrained")
    grid = figure.subplots(len(rows), len(columns), squeeze=False)
    for line, (name, (moved, displacement, determinant, caption)) in zip(grid.T, columns.items()):
        cut = cuts_of(moved)[0]
        jacobian = plane(turned(determinant, orientation), cut)
        by_row = dict(zip(rows, line))
        if images:
            image = plane(scaled(turned(moved, orientation)), cut)
            by_row["moved image"].imshow(image, cmap="gray", vmin=0, vmax=1, origin="lower")
        for x, y in (grid.T for grid in grid_lines(turned_vectors(displacement, orientation), cut)):
            by_row["deformed grid"].plot(x, y, color="black", linewidth=0.4)
        limits = {"xlim": (0, jacobian.shape[1] - 1), "ylim": (0, jacobian.shape[0] - 1)}
        by_row["deformed grid"].set(aspect="equal", **limits)
        size = by_row["|det J|"].imshow(np.abs(jacobian), cmap="viridis", vmin=0, vmax=2, origin="lower")
        by_row["det J ≤ 0"].imshow(jacobian <= 0, cmap="gray_r", vmin=0, vmax=1, origin="lower")
        by_row["det J ≤ 0"].set_xlabel(caption, fontsize=9)
        line[0].set_title(name, fontsize=9)
    for axes, name in zip(grid[:, 0], rows):
        axes.set_ylabel(name, fontsize=9)
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[])
    figure.colorbar(size, ax=grid[rows.index("|det J|"), -1], fraction=0.05)
    return write_atomically(path, lambda temporary: figure.savefig(temporary, dpi=100))
