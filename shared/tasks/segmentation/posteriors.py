"""From the probabilities of many classes to a label map: how large each class is, and how sure the network is of it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

EVERY_NEIGHBOUR = np.ones((3, 3, 3), dtype=bool)


@dataclass(frozen=True)
class Posterior:
    """What probabilities say of each class, (C,) each.

    volumes: mm³, sums of probabilities. dice: what Dice the label map can be expected to have, if the probabilities are
    right; 0 of a class that is found nowhere.
    """

    volumes: np.ndarray
    dice: np.ndarray


def expected_dice(probabilities: np.ndarray) -> np.ndarray:
    """(C,): see `Posterior`; of probabilities (C, *S), sums of 1."""
    count = len(probabilities)
    sums = probabilities.reshape(count, -1).sum(axis=1, dtype=np.float64)
    labels, likeliest = probabilities.argmax(axis=0).ravel(), probabilities.max(axis=0).ravel()
    sizes = np.bincount(labels, minlength=count)
    hits = np.bincount(labels, weights=likeliest, minlength=count)
    return 2 * hits / np.maximum(sizes + sums, 1e-6)


def keep_largest_parts(probabilities: np.ndarray, *, but: Collection[int] = (0,)) -> None:
    """Take from each class, save those in `but`, what is not connected to its largest part, in place.

    probabilities: (C, *S), 3D, sums of 1; those of the other classes grow in the same proportion. A part is where the
    class is the likeliest, with voxels that share a corner.
    """
    labels = probabilities.argmax(axis=0).astype(np.uint8)
    for index, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is None or index in but:
            continue
        stray = _beside_the_largest(labels[box] == index)
        if stray is not None:
            places = (slice(None), *(axis.start + found for axis, found in zip(box, stray.nonzero())))
            others = probabilities[places]
            others[index] = 0
            total = others.sum(axis=0)
            others[0] += total == 0  # nothing else was thought of
            probabilities[places] = others / np.where(total == 0, 1, total)


def keep_what_is_near(
    probabilities: np.ndarray, *, within: float, spacing: Sequence[float], but: Collection[int] = (0,)
) -> None:
    """Make background, in place, of what is further than `within` mm from the largest part of all classes together.

    probabilities: (C, *S), 3D, sums of 1, of voxels of `spacing` mm. but: classes that are not of that part, though
    they may be near it, as CSF is around a brain.
    """
    inside = ~np.isin(probabilities.argmax(axis=0), list(but))
    if not inside.any():
        return
    stray = _beside_the_largest(inside)
    main = inside if stray is None else inside & ~stray
    far = ndimage.distance_transform_edt(~main, sampling=list(spacing)) > within
    probabilities[:, far] = 0
    probabilities[0, far] = 1


def _beside_the_largest(mask: np.ndarray) -> np.ndarray | None:
    """What of a mask (*S) is not in its largest connected part; None where there is only one."""
    parts, count = ndimage.label(mask, EVERY_NEIGHBOUR)
    if count == 1:
        return None
    return mask & (parts != np.bincount(parts[mask]).argmax())
