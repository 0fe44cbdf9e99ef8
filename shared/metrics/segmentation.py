"""How well a label map agrees with another, by class."""

from collections.abc import Sequence

import torch
from monai.metrics import compute_dice, compute_hausdorff_distance
from monai.networks import one_hot
from torch import Tensor


def segmentation_scores(
    labels: Tensor, reference: Tensor, *, class_names: Sequence[str], spacing: Sequence[float]
) -> dict[str, float]:
    """Dice, Jaccard and HD95 of each class but the first (background), and their means over the classes.

    labels, reference: (*S), class ids 0 … len(class_names) - 1. spacing: mm along each axis of S.
    A class in neither has Dice and Jaccard 1; HD95 in mm is NaN where a class is missing from one or both.
    Source: MONAI's compute_dice and compute_hausdorff_distance; HD95 is the larger of the two directed 95th
    percentiles of surface distances. Raises ValueError when the shapes differ.
    """
    if labels.shape != reference.shape:
        raise ValueError(f"expected label maps of one shape, got {tuple(labels.shape)} and {tuple(reference.shape)}")
    a, b = (one_hot(x[None, None].long(), len(class_names)) for x in (labels, reference))
    dice = compute_dice(a, b, include_background=False, ignore_empty=False)[0]
    hd95 = [_hd95(a[:, i : i + 1], b[:, i : i + 1], spacing) for i in range(1, len(class_names))]
    by_class = {"dice": dice.tolist(), "jaccard": (dice / (2 - dice)).tolist(), "hd95_mm": hd95}
    scores = {}
    for metric, values in by_class.items():
        scores[f"{metric}_mean"] = float(torch.tensor(values).nanmean())
        scores |= {f"{metric}_{name}": value for name, value in zip(class_names[1:], values)}
    return scores


def _hd95(a: Tensor, b: Tensor, spacing: Sequence[float]) -> float:
    if not (a.any() and b.any()):
        return float("nan")
    return float(compute_hausdorff_distance(a, b, include_background=True, percentile=95, spacing=list(spacing)))
