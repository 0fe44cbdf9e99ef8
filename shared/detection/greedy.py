"""Boxes in numpy: how they overlap, and of those that show the same object the surest. Needs no torch."""

from itertools import product

import numpy as np

EPSILON = 1e-7
FEW = 1000  # boxes, up to which sorting them into cells costs more than it saves


def overlaps(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The IoU of boxes (..., 2 D) one by one, or of all with all by broadcasting: (...); 0 where both are empty."""
    (a_low, a_high), (b_low, b_high) = np.split(a, 2, axis=-1), np.split(b, 2, axis=-1)
    common = (np.minimum(a_high, b_high) - np.maximum(a_low, b_low)).clip(min=0).prod(axis=-1)
    a_volume, b_volume = ((high - low).clip(min=0).prod(axis=-1) for low, high in ((a_low, a_high), (b_low, b_high)))
    return common / (a_volume + b_volume - common + EPSILON)


def surest(
    boxes: np.ndarray, scores: np.ndarray, classes: np.ndarray | None = None, *, overlap: float = 0.7, most: int = 300
) -> np.ndarray:
    """The indices of the boxes (N, 2 D) that are kept, surest first: those that no surer one covers.

    scores: (N). classes: (N); boxes of different classes do not suppress each other. overlap: the IoU above which a box
    goes. At most `most` are kept, and the search ends there. Equal scores: the earlier box counts as the surer.
    Source: greedy non-maximum suppression, as torchvision's; in numpy, over the boxes nearby of those that are left.
    """
    order = np.argsort(-scores, kind="stable")
    corners = boxes.astype(np.float64)[order]
    if classes is not None and len(order):  # apart by more than all of them are wide
        width = corners.max() - corners.min() + 1
        corners = corners + (classes[order] * width)[:, None]
    low, high = np.split(corners, 2, axis=1)
    volumes = (high - low).clip(min=0).prod(axis=1)
    nearby = Neighbourhoods(low, high)
    left = np.ones(len(order), dtype=bool)
    kept: list[int] = []
    for index in range(len(order)):
        if len(kept) == most:
            break
        if not left[index]:
            continue
        kept.append(index)
        others = nearby.after(index, left)
        common = np.minimum(high[index], high[others]) - np.maximum(low[index], low[others])
        shared_volume = common.clip(min=0).prod(axis=1)
        covered = shared_volume > overlap * (volumes[index] + volumes[others] - shared_volume + EPSILON)
        left[others[covered]] = False
    return order[np.array(kept, dtype=np.int64)]


class Neighbourhoods:
    """Which of the boxes from `low` to `high` (N, D) may touch one, so that a slide takes time linear in its area.

    The centres of two boxes that touch are no further apart than the longest side of all, which the cells have that
    the boxes are sorted into: only neighbouring cells are looked at. Few boxes are in one cell.
    """

    def __init__(self, low: np.ndarray, high: np.ndarray) -> None:
        side = (high - low).max(initial=1) if len(low) > FEW else np.inf
        cells = np.floor((low + high) / (2 * side)).astype(np.int64)
        self.cells = list(map(tuple, cells.tolist()))
        groups: dict[tuple[int, ...], list[int]] = {}
        for index, cell in enumerate(self.cells):
            groups.setdefault(cell, []).append(index)
        self.members = {cell: np.array(members) for cell, members in groups.items()}
        self.around = list(product((-1, 0, 1), repeat=low.shape[1]))

    def after(self, index: int, left: np.ndarray) -> np.ndarray:
        """The indices above `index` of boxes near it, of those that are `left` (N); call it with rising ones."""
        found = []
        for step in self.around:
            cell = tuple(a + b for a, b in zip(self.cells[index], step))
            if cell in self.members:
                members = self.members[cell]
                self.members[cell] = members = members[left[members]]
                found.append(members[np.searchsorted(members, index, side="right") :])
        return found[0] if len(found) == 1 else np.concatenate(found)
