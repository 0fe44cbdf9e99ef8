"""Pictures of images with their label maps drawn on."""

from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np

from shared.engine.drawing import COLOURS, LARGEST_PICTURE, new_figure
from shared.files import write_atomically

# The three planes of a volume in RAS: name, the axis that is cut, and the letters left, right, bottom and top.
# The patient's right is shown on the left, as radiologists look.
PLANES = (("sagittal", 0, "PAIS"), ("coronal", 1, "RLIS"), ("axial", 2, "RLPA"))


def draw_overlay(
    path: str | Path,
    image: np.ndarray,
    labels: np.ndarray,
    *,
    class_names: Sequence[str],
    affine: np.ndarray,
    reference: np.ndarray | None = None,
    title: str = "",
) -> Path:
    """Draw `image` with the outlines of `labels` into a PNG: a 2D image whole, a volume as three orthogonal slices.

    image: (C, *S), C = 1 for a volume. labels, reference: (*S); `reference` outlines are dotted. affine: voxels to
    mm, RAS; it turns volumes into the usual view and gives pixels their aspect. Each slice is the one with most
    labelled voxels.
    """
    volume = labels.ndim == 3
    maps = [labels] if reference is None else [labels, reference]
    if not volume:  # no finer than the picture, which has some 1,600 pixels
        step = -(-max(labels.shape) // LARGEST_PICTURE)
        image, maps = image[:, ::step, ::step], [m[::step, ::step] for m in maps]
    image = image[:3]  # without alpha
    low, high = np.percentile(image, (0.5, 99.5))
    image = np.clip((image - low) / max(high - low, 1e-6), 0, 1)
    views = _planes(image[0], maps, affine) if volume else [(_as_picture(image), maps, 1.0, "", "")]
    # Panels of one height whose widths follow the pictures, in mm.
    ratios = [view[0].shape[1] / (view[0].shape[0] * view[2]) for view in views]
    height = 4.0 if volume else min(8.0, 8.0 / ratios[0])
    figure = new_figure(figsize=(height * sum(ratios) + 0.4, height + 1.0), layout="constrained")
    panels = figure.subplots(1, len(views), width_ratios=ratios, squeeze=False)[0]
    for axes, (picture, outlines, aspect, name, letters) in zip(panels, views):
        axes.imshow(picture, cmap="gray", vmin=0, vmax=1, aspect=aspect)
        for outline, style in zip(outlines, ("solid", "dotted")):
            _draw_outlines(axes, outline, len(class_names), style)
        axes.set(xticks=[], yticks=[], title=name)
        for letter, x, y in zip(letters, (0.03, 0.97, 0.5, 0.5), (0.5, 0.5, 0.03, 0.97)):
            box = {"facecolor": "black", "alpha": 0.6, "pad": 1, "linewidth": 0}
            axes.text(x, y, letter, transform=axes.transAxes, color="w", ha="center", va="center", fontsize=8, bbox=box)
    present = np.unique(np.concatenate([m.ravel() for m in maps]))
    for index, name in enumerate(class_names[1:], start=1):
        label = name if index in present else f"{name} (none)"
        panels[0].plot([], [], color=_colour(index), linewidth=3, label=label)
    figure.legend(loc="outside lower center", ncols=min(len(class_names) - 1, 6), frameon=False)
    figure.suptitle(title + ("" if reference is None else "  (dotted: reference)"), fontsize=10)
    options = {"compress_level": 1}  # the default takes half of the drawing's time, for a tenth of the size
    return write_atomically(path, lambda temporary: figure.savefig(temporary, dpi=100, pil_kwargs=options))


def _planes(image: np.ndarray, maps: Sequence[np.ndarray], affine: np.ndarray) -> list[tuple]:
    """(picture, label pictures, aspect, name, side letters) of the three planes, rows down and columns right."""
    to_ras = nib.io_orientation(affine)
    image, *maps = (nib.apply_orientation(volume, to_ras) for volume in (image, *maps))
    zooms = np.linalg.norm((affine @ nib.orientations.inv_ornt_aff(to_ras, image.shape))[:3, :3], axis=0)
    views = []
    for name, axis, letters in PLANES:
        index = _fullest_slice(maps[0], axis)
        picture, *outlines = (_as_seen(np.take(volume, index, axis), axis) for volume in (image, *maps))
        across, up = np.delete(zooms, axis)
        views.append((picture, outlines, up / across, name, letters))
    return views


def _as_seen(plane: np.ndarray, axis: int) -> np.ndarray:
    """A slice of a RAS volume as rows from the top and columns from the left; R is left, save in the sagittal view."""
    upright = plane.T[::-1]
    return upright if axis == 0 else upright[:, ::-1]


def _as_picture(image: np.ndarray) -> np.ndarray:
    """(C, rows, columns) as matplotlib takes it: colour, or gray."""
    return np.moveaxis(image, 0, -1) if len(image) == 3 else image[0]


def _fullest_slice(labels: np.ndarray, axis: int) -> int:
    """The slice across `axis` with most labelled voxels, or the middle one where there are none."""
    areas = (labels > 0).sum(axis=tuple(a for a in range(labels.ndim) if a != axis))
    return int(areas.argmax()) if areas.any() else labels.shape[axis] // 2


def _draw_outlines(axes, labels: np.ndarray, num_classes: int, style: str) -> None:
    from matplotlib.collections import LineCollection
    from skimage.measure import find_contours

    padded = np.pad(labels, 1)  # so that outlines close at the border
    for index in range(1, num_classes):
        contours = find_contours((padded == index).astype(np.float32), 0.5)
        lines = [contour[:, ::-1] - 1 for contour in contours]
        axes.add_collection(LineCollection(lines, colors=_colour(index), linewidths=1.5, linestyles=style))


def _colour(index: int) -> str:
    return COLOURS[(index - 1) % len(COLOURS)]
