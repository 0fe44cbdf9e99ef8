"""Classes that a mirror takes to one another's places, as the left and the right one, whatever their names."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import ndimage
from scipy.spatial.distance import cdist

MOST_VOXELS = 96  # along an axis of what is looked at: every n-th of more
ALIKE = 0.7  # Dice of a class with the mirrored other one, box upon box
OFTEN = 0.8  # of the label maps that hold both


class Counterparts(NamedTuple):
    """Values of two classes, of which `lower` has the lower index along `axis`."""

    axis: int
    lower: int
    upper: int


def counterparts(ids: np.ndarray, spacing: Sequence[float]) -> frozenset[Counterparts]:
    """Those in a label map (*S), each the nearest to where the other one's mirror image lies, and of like shape.

    The mirror stands in the middle of all that is labelled. spacing: in mm, along each axis.
    """
    steps = [-(-side // MOST_VOXELS) for side in ids.shape]
    small = ids[tuple(slice(None, None, step) for step in steps)]
    values = np.unique(small[small > 0]).tolist()
    if len(values) < 2:
        return frozenset()
    mm = np.array(spacing) * steps
    centres = np.array(ndimage.center_of_mass(small > 0, small, values)) * mm
    boxes = ndimage.find_objects(small)
    shapes = [small[boxes[value - 1]] == value for value in values]
    (labelled,) = ndimage.find_objects((small > 0).astype(np.int8))
    found = set()
    for axis, side in enumerate(labelled):
        mirrored = centres.copy()
        mirrored[:, axis] = (side.start + side.stop - 1) * mm[axis] - centres[:, axis]
        nearest = cdist(mirrored, centres).argmin(axis=1).tolist()
        for one, other in enumerate(nearest):
            mutual = nearest[other] == one and centres[one, axis] < centres[other, axis]
            if mutual and _dice(np.flip(shapes[one], axis), shapes[other]) >= ALIKE:
                found.add(Counterparts(axis, values[one], values[other]))
    return frozenset(found)


def axes_of_sides(label_maps: Iterable[tuple[Iterable[int], Iterable[Counterparts]]]) -> list[int]:
    """Axes along which a mirror would make classes of their counterparts, in OFTEN of the maps that hold both.

    label_maps: the values of each, and its counterparts.
    """
    held: list[set[int]] = []
    found: Counter[Counterparts] = Counter()
    for values, pairs in label_maps:
        held.append(set(values))
        found.update(pairs)
    together = {pair: sum({pair.lower, pair.upper} <= values for values in held) for pair in found}
    return sorted({pair.axis for pair, times in found.items() if times >= OFTEN * together[pair]})


def _dice(one: np.ndarray, other: np.ndarray) -> float:
    """Of two shapes in boxes of their own, whose middles are laid upon one another."""
    size = np.maximum(one.shape, other.shape)
    first, second = _in_the_middle(one, size), _in_the_middle(other, size)
    return float(2 * (first & second).sum() / (first.sum() + second.sum()))


def _in_the_middle(shape: np.ndarray, size: np.ndarray) -> np.ndarray:
    before = (size - shape.shape) // 2
    return np.pad(shape, list(zip(before, size - shape.shape - before)))
