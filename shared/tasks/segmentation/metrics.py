"""How well a label map agrees with another, by class."""

from collections.abc import Sequence

import numpy as np
import torch
from monai.metrics import compute_dice, compute_hausdorff_distance
from monai.networks import one_hot
from torch import Tensor


def segmentation_scores(
    labels: Tensor,
    reference: Tensor,
    *,
    class_names: Sequence[str],
    spacing: Sequence[float],
    unit: str = "mm",
    include_background: bool = False,
) -> dict[str, float]:
    """Dice, Jaccard and HD95 of each class, of the first (background) where included, and their means over these.

    labels, reference: (*S), class ids 0 … len(class_names) - 1. spacing: along each axis of S, in `unit`, in which
    HD95 is given too. A class in neither has Dice and Jaccard 1; HD95 is NaN where it is missing from one or both.
    Source: MONAI's compute_dice and compute_hausdorff_distance; HD95 is the larger of the two directed 95th
    percentiles of surface distances. Raises ValueError when the shapes differ.
    """
    if labels.shape != reference.shape:
        raise ValueError(f"expected label maps of one shape, got {tuple(labels.shape)} and {tuple(reference.shape)}")
    a, b = (one_hot(x[None, None].long(), len(class_names)) for x in (labels, reference))
    first = 0 if include_background else 1
    dice = compute_dice(a, b, include_background=include_background, ignore_empty=False)[0]
    hd95 = [_hd95(a[:, i : i + 1], b[:, i : i + 1], spacing) for i in range(first, len(class_names))]
    by_class = {"dice": dice.tolist(), "jaccard": (dice / (2 - dice)).tolist(), f"hd95_{unit}": hd95}
    scores = {}
    for metric, values in by_class.items():
        scores[f"{metric}_mean"] = float(torch.tensor(values).nanmean())
        scores |= {f"{metric}_{name}": value for name, value in zip(class_names[first:], values)}
    return scores


def jaccard_indices(labels: np.ndarray, reference: np.ndarray, num_classes: int) -> np.ndarray:
    """The Jaccard index of each class 0 … num_classes - 1; NaN where it is in neither map.

    labels, reference: (*S), class ids.
    """
    pairs = np.bincount(reference.ravel().astype(np.int64) * num_classes + labels.ravel(), minlength=num_classes**2)
    confusion = pairs.reshape(num_classes, num_classes)
    both = confusion.diagonal()
    either = confusion.sum(axis=0) + confusion.sum(axis=1) - both
    return np.where(either > 0, both / np.maximum(either, 1), np.nan)


def _hd95(a: Tensor, b: Tensor, spacing: Sequence[float]) -> float:
    if not (a.any() and b.any()):
        return float("nan")
    return float(compute_hausdorff_distance(a, b, include_background=True, percentile=95, spacing=list(spacing)))
