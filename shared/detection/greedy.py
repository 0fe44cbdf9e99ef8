"""Boxes in numpy: how they overlap, and of those that show the same object the surest. Needs no torch."""

import numpy as np

EPSILON = 1e-7


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
    Source: greedy non-maximum suppression, as torchvision's; in numpy, over what is left after each box.
    """
    order = np.argsort(-scores, kind="stable")
    corners = boxes.astype(np.float64)[order]
    if classes is not None and len(order):  # apart by more than all of them are wide
        width = corners.max() - corners.min() + 1
        corners = corners + (classes[order] * width)[:, None]
    dims = corners.shape[1] // 2
    low, high = corners[:, :dims], corners[:, dims:]
    volumes = (high - low).clip(min=0).prod(axis=1)
    left = np.arange(len(order))
    kept: list[int] = []
    while len(left) and len(kept) < most:
        first, left = left[0], left[1:]
        kept.append(int(first))
        common = np.minimum(high[first], high[left]) - np.maximum(low[first], low[left])
        shared_volume = common.clip(min=0).prod(axis=1)
        left = left[shared_volume <= overlap * (volumes[first] + volumes[left] - shared_volume + EPSILON)]
    return order[np.array(kept, dtype=np.int64)]
