"""How coarse the grid of volumes may be, for a patch to show enough of one, before what is labelled is lost."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from scipy import ndimage
from torch.nn.functional import interpolate

from shared.planning.grid import median_size
from shared.planning.seen import label_of, upright_axes, whole_numbers

COVERED = 0.25  # of the voxels of the median volume, which a patch has where the grid may be as coarse: nnU-Net's
KEPT = 0.95  # mean Dice of labels with themselves, taken to the grid and back
STEP = 1.1  # times as coarse is the next grid
LOOKED_AT = 6  # label maps, from the first to the last


def coarser(
    pixdim: Sequence[float], labels: Sequence[str], voxels: int, *, sizes: np.ndarray, spacings: np.ndarray
) -> list[float]:
    """`pixdim` in mm, or coarser along its finest axes until a patch of `voxels` has COVERED of the median volume.

    It goes no further than labels keep a Dice of KEPT. labels: files of volumes. sizes, spacings: see `target_spacing`.
    Source: nnU-Net's 3d_lowres, but for KEPT.
    """
    chosen = list(pixdim)
    chosen_labels = labels[:: max(1, len(labels) // LOOKED_AT)][:LOOKED_AT]
    while voxels < COVERED * math.prod(median_size(spacings, sizes, chosen)):
        finest = STEP * min(chosen)
        tried = [round(max(own, finest), 4) for own in chosen]
        if kept_dice(chosen_labels, tried) < KEPT:
            break
        chosen = tried
    return chosen


def kept_dice(labels: Sequence[str], pixdim: Sequence[float]) -> float:
    """The Dice of label maps with themselves, taken linearly to a grid of `pixdim`, in mm, and back; 0 of no label.

    A mean over the classes of each, then over maps. pixdim: along the axes of RAS.
    """
    means = [float(np.mean(dice)) for path in labels if (dice := list(_kept(path, pixdim)))]
    return float(np.mean(means)) if means else 0.0


def _kept(path: str, pixdim: Sequence[float]) -> Iterator[float]:
    """Of each class of a label map; background is none."""
    image = label_of(path)
    axes, spacing = upright_axes(image)
    factors = np.ones(len(axes))
    factors[axes] = np.array(pixdim) / spacing[axes]
    ids = whole_numbers(image)
    margin = np.ceil(2 * factors).astype(int)
    for value, box in enumerate(ndimage.find_objects(ids), start=1):
        if box is None:
            continue
        inside = ids[tuple(slice(max(0, side.start - m), side.stop + m) for side, m in zip(box, margin))] == value
        size = [max(1, round(side / factor)) for side, factor in zip(inside.shape, factors)]
        whole = torch.as_tensor(inside)[None, None].float()
        back = interpolate(interpolate(whole, size=size, mode="area"), size=inside.shape, mode="trilinear")[0, 0] > 0.5
        yield float(2 * (back.numpy() & inside).sum() / (back.sum() + inside.sum()))
