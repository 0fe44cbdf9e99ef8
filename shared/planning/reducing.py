"""How coarse the grid of volumes may be, for a patch to show enough of one, before what is labelled is lost."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy import ndimage
from torch.nn.functional import interpolate

from shared.planning.grid import median_size
from shared.planning.seen import label_of, upright, upright_axes, whole_numbers

COVERED = 0.25  # of the voxels of the median volume, which a patch has where the grid may be as coarse: nnU-Net's
KEPT = 0.95  # mean Dice of labels with themselves, taken to the grid and back
STEP = 1.1  # times as coarse is the next grid
LOOKED_AT = 6  # label maps, from the first to the last
MARGIN = 4  # voxels around a shape


def coarser(
    pixdim: Sequence[float], labels: Sequence[str], voxels: int, *, sizes: np.ndarray, spacings: np.ndarray
) -> list[float]:
    """`pixdim` in mm, or coarser along its finest axes until a patch of `voxels` has COVERED of the median volume.

    It goes no further than labels keep a Dice of KEPT. labels: files of volumes. sizes, spacings: see `target_spacing`.
    Source: nnU-Net's 3d_lowres, but for KEPT.
    """
    chosen = list(pixdim)
    shapes: list[list[Shape]] = []
    while voxels < COVERED * math.prod(median_size(spacings, sizes, chosen)):
        shapes = shapes or [shapes_of(path) for path in labels[:: max(1, len(labels) // LOOKED_AT)][:LOOKED_AT]]
        finest = STEP * min(chosen)
        tried = [round(max(own, finest), 4) for own in chosen]
        if kept_dice(shapes, tried) < KEPT:
            break
        chosen = tried
    return chosen


class Shape(NamedTuple):
    """Of a class in a label map. inside: (*S), bool, the box that holds it with a margin. spacing: in mm, upright."""

    inside: np.ndarray
    spacing: np.ndarray


def shapes_of(path: str) -> list[Shape]:
    """Of each class of a label map, turned to RAS; background is none."""
    image = label_of(path)
    axes, spacing = upright_axes(image)
    ids = upright(whole_numbers(image), image)
    boxes = [box for box in ndimage.find_objects(ids) if box is not None]
    margins = [[slice(max(0, side.start - MARGIN), side.stop + MARGIN) for side in box] for box in boxes]
    values = [int(value) for value in np.unique(ids[ids > 0])]
    return [Shape(ids[tuple(place)] == value, spacing[axes]) for value, place in zip(values, margins)]


def kept_dice(label_maps: Sequence[Sequence[Shape]], pixdim: Sequence[float]) -> float:
    """The Dice of shapes with themselves, taken linearly to a grid of `pixdim`, in mm, and back; 0 of no shape.

    A mean over the classes of each label map, then over these. pixdim: along the axes of RAS.
    """
    means = [np.mean([_kept(shape, pixdim) for shape in shapes]) for shapes in label_maps if shapes]
    return float(np.mean(means)) if means else 0.0


def _kept(shape: Shape, pixdim: Sequence[float]) -> float:
    sides = shape.inside.shape
    size = [max(1, round(side * own / mm)) for side, own, mm in zip(sides, shape.spacing, pixdim)]
    inside = torch.as_tensor(shape.inside)[None, None]
    small = interpolate(inside.float(), size=size, mode="area")
    back = interpolate(small, size=sides, mode="trilinear") > 0.5
    return float(2 * (back & inside).sum() / (back.sum() + inside.sum()))
