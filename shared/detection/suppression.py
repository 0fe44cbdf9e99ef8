"""Of boxes that show the same object, keep the surest."""

import numpy as np
import torch
from torch import Tensor

from shared.detection.boxes import EPSILON


def suppress(
    boxes: Tensor, scores: Tensor, classes: Tensor | None = None, *, overlap: float = 0.7, most: int = 300
) -> Tensor:
    """The indices of the boxes (N, 2 D) that are kept, surest first: those that no surer one covers.

    scores: (N). classes: (N); boxes of different classes do not suppress each other. overlap: the IoU above which a box
    goes. At most `most` are kept, and the search ends there. Equal scores: the earlier box counts as the surer.
    Source: greedy non-maximum suppression, as torchvision's; in numpy, over what is left after each box.
    """
    order = torch.argsort(scores, descending=True, stable=True).cpu().numpy()
    corners = boxes.detach().cpu().numpy().astype(np.float64)[order]
    if classes is not None and len(order):  # apart by more than all of them are wide
        width = corners.max() - corners.min() + 1
        corners = corners + (classes.cpu().numpy()[order] * width)[:, None]
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
    return torch.as_tensor(order[np.array(kept, dtype=np.int64)], device=boxes.device)
