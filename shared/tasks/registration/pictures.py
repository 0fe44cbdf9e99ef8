"""The pictures of a registered pair."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import nibabel as nib
import numpy as np

from shared.engine.drawing import new_figure
from shared.files import write_atomically
from shared.images.file import ImageFile
from shared.tasks.registration.transforms import axes_toward

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Axes toward the patient's left, front and head: the right is then shown on the left, as radiologists look.
RADIOLOGICAL = ("L", "A", "S")
GRID_LINES = 24  # of the deformed grid, along the longer side
LOG_JACOBIAN_RANGE = 1.0  # colours end at volumes changed by a factor of e


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
    images, outlines = _turned(images, orientation), _turned(outlines or {}, orientation)
    determinant, displacement = _turn(determinant, orientation), _turn_vectors(displacement, orientation)
    cuts = _cuts(images["fixed"])
    columns = ["fixed", "moving", "moved", "difference before", "difference after", "deformed grid", "log det J"]
    ratios = [_plane(images["fixed"], cut).shape[0] / _plane(images["fixed"], cut).shape[1] for cut in cuts]
    width = 1.9
    figure = new_figure(
        figsize=(width * len(columns) + 0.9, sum(width * r + 0.3 for r in ratios) + 0.4), layout="constrained"
    )
    grid = figure.subplots(len(cuts), len(columns), squeeze=False, height_ratios=ratios)
    scale = {name: _scaled(image) for name, image in images.items()}
    for row, cut in zip(grid, cuts):
        planes = {name: _plane(image, cut) for name, image in scale.items()}
        for axes, name in zip(row, ("fixed", "moving", "moved")):
            axes.imshow(planes[name], cmap="gray", vmin=0, vmax=1, origin="lower")
            if name in outlines:
                _outline(axes, _plane(outlines[name], cut))
        for axes, name in zip(row[3:], ("moving", "moved")):
            axes.imshow(planes[name] - planes["fixed"], cmap="RdBu", vmin=-1, vmax=1, origin="lower")
        _draw_grid(row[5], displacement, cut)
        jacobian = _plane(determinant, cut)
        shown = row[6].imshow(
            np.log(np.clip(jacobian, 1e-6, None)), cmap="PuOr", vmin=-LOG_JACOBIAN_RANGE, vmax=LOG_JACOBIAN_RANGE,
            origin="lower",
        )  # fmt: skip
        row[6].imshow(np.ma.masked_greater(jacobian, 0) * 0, cmap="autumn", origin="lower")
        figure.colorbar(shown, ax=row[6], fraction=0.05)
        for axes in row:
            axes.set(xticks=[], yticks=[])
    for axes, name in zip(grid[0], columns):
        axes.set_title(name, fontsize=9)
    figure.suptitle(title, fontsize=10)
    return write_atomically(path, lambda temporary: figure.savefig(temporary, dpi=100))


def draw_fused(
    path: str | Path, images: Mapping[str, np.ndarray], *, orientation: np.ndarray | None = None, title: str = ""
) -> Path:
    """Draw the fixed image in green with the moving one in magenta into a PNG, before and after: gray is agreement.

    images and orientation: as of `draw_registration`.
    """
    images = {name: _scaled(image) for name, image in _turned(images, orientation).items()}
    cuts = _cuts(images["fixed"])
    planes = [_plane(images["fixed"], cut) for cut in cuts]
    width = 3.2
    heights = [width * plane.shape[0] / plane.shape[1] for plane in planes]
    figure = new_figure(figsize=(2 * width + 0.3, sum(heights) + 0.8), layout="constrained")
    grid = figure.subplots(len(cuts), 2, squeeze=False, height_ratios=heights)
    for column, name, when in zip(grid.T, ("moving", "moved"), ("before", "after")):
        column[0].set_title(when)
        for axes, cut in zip(column, cuts):
            other, fixed = _plane(images[name], cut), _plane(images["fixed"], cut)
            axes.imshow(np.stack([other, fixed, other], axis=-1), origin="lower")
            axes.set(xticks=[], yticks=[])
    figure.suptitle(f"{title}\ngreen: fixed, magenta: moving", fontsize=9)
    return write_atomically(path, lambda temporary: figure.savefig(temporary, dpi=100))


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
        cut = _cuts(moved)[0]
        jacobian = _plane(_turn(determinant, orientation), cut)
        by_row = dict(zip(rows, line))
        if images:
            image = _plane(_scaled(_turn(moved, orientation)), cut)
            by_row["moved image"].imshow(image, cmap="gray", vmin=0, vmax=1, origin="lower")
        _draw_grid(by_row["deformed grid"], _turn_vectors(displacement, orientation), cut)
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


def upright(file: ImageFile) -> np.ndarray:
    """How the axes of an image are to be turned for the usual view: nibabel's orientation (D, 2).

    Toward the patient's left, front and head, of a slice those two that it has; of a picture, from the bottom up.
    """
    return np.array([[0, 1], [1, -1]]) if file.is_raster else axes_toward(file, RADIOLOGICAL)


def _turn(array: np.ndarray, orientation: np.ndarray | None) -> np.ndarray:
    return array if orientation is None else nib.apply_orientation(array, orientation)


def _turned(arrays: Mapping[str, np.ndarray], orientation: np.ndarray | None) -> dict[str, np.ndarray]:
    return {name: _turn(array, orientation) for name, array in arrays.items()}


def _turn_vectors(vectors: np.ndarray, orientation: np.ndarray | None) -> np.ndarray:
    """(D, *S): the components change places and signs with the axes."""
    if orientation is None:
        return vectors
    turned = np.empty((len(vectors), *_turn(vectors[0], orientation).shape))
    for component, (axis, sign) in zip(vectors, orientation.astype(int)):
        turned[axis] = sign * _turn(component, orientation)
    return turned


def _cuts(volume: np.ndarray) -> list[int | None]:
    """The axes across which an image is cut into planes."""
    return [None] if volume.ndim == 2 else [2, 1, 0]


def _plane(volume: np.ndarray, cut: int | None) -> np.ndarray:
    """The image, or its middle slice across axis `cut`, as rows from the bottom up."""
    return (volume if cut is None else np.take(volume, volume.shape[cut] // 2, axis=cut)).T


def _scaled(image: np.ndarray) -> np.ndarray:
    low, high = np.percentile(image, (0.5, 99.5))
    return np.clip((image - low) / max(high - low, 1e-6), 0, 1)


def _outline(axes: "Axes", labels: np.ndarray) -> None:
    for label in np.unique(labels[labels > 0]):
        axes.contour(labels == label, levels=[0.5], colors=[f"C{int(label) % 10}"], linewidths=0.6)


def _draw_grid(axes: "Axes", displacement: np.ndarray, cut: int | None) -> None:
    """Where the lines of a regular grid on the fixed image come from in the moving one, as seen in the plane."""
    inside = [axis for axis in range(len(displacement)) if axis != cut]
    across, up = (_plane(displacement[axis], cut) for axis in inside)
    rows, columns = across.shape
    x, y = np.arange(columns)[None] + across, np.arange(rows)[:, None] + up
    step = max(1, max(rows, columns) // GRID_LINES)
    axes.plot(x[::step].T, y[::step].T, color="black", linewidth=0.4)
    axes.plot(x[:, ::step], y[:, ::step], color="black", linewidth=0.4)
    axes.set(aspect="equal", xlim=(0, columns - 1), ylim=(0, rows - 1))
