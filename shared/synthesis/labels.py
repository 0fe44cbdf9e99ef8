"""What the ids of a label map mean to the generator: which are painted alike, which are learned, which change sides."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Labels:
    """The ids of a set of label maps, as tables over their positions in `ids`.

    ids: (K,), as label maps hold them, background (0) first. classes: (K,), the class that a network shall learn of
    each, 0 for background. mirrored: (K,), the position of the same on the other side. paints: (K,), labels of one
    number have one Gaussian. tissues: (K,), paints of one number may be alike; -1 for what is outside of the organ.
    known: (W, K), the mean of each in W contrasts that are known, of 0 to 255; NaN where it is not known.
    """

    ids: np.ndarray
    classes: np.ndarray
    mirrored: np.ndarray
    paints: np.ndarray
    tissues: np.ndarray
    known: np.ndarray

    @classmethod
    def make(
        cls,
        ids: Iterable[int],
        *,
        learned: Sequence[int],
        sides: Mapping[int, int],
        merged: Mapping[int, int],
        tissues: Mapping[str, Iterable[int]],
        contrasts: Mapping[str, Mapping[int, float]] | None = None,
    ) -> "Labels":
        """The tables of `ids`.

        learned: ids in the order of their classes, background first. sides: from left ids to right ones. merged: what
        an id is learned as. tissues: ids of the left by tissue; ids of no tissue are outside of the organ. contrasts:
        known ones, the mean of each id of the left.
        """
        present = np.array(sorted({0, *map(int, ids)}))
        position = {value: index for index, value in enumerate(present.tolist())}
        other = {**sides, **{right: left for left, right in sides.items()}}
        left = {right: left for left, right in sides.items()}
        number = {value: n for n, values in enumerate(tissues.values()) for value in values}
        kind = {value: n for n, value in enumerate(learned)}
        paint = [left.get(value, value) for value in present.tolist()]
        return cls(
            ids=present,
            classes=np.array([kind.get(merged.get(value, value), 0) for value in present.tolist()]),
            mirrored=np.array([position.get(other.get(value, value), n) for n, value in enumerate(present.tolist())]),
            paints=np.unique(paint, return_inverse=True)[1],
            tissues=np.array([number.get(value, -1) for value in paint]),
            known=np.array([[means.get(v, np.nan) for v in paint] for means in (contrasts or {}).values()], np.float32),
        )

    def indices(self, label_map: np.ndarray) -> np.ndarray:
        """The positions in `ids`, uint8, of a map of ids; ids that are not known are background."""
        table = np.zeros(max(int(label_map.max()), int(self.ids[-1])) + 1, np.uint8)
        table[self.ids] = np.arange(len(self.ids))
        return table[label_map]
