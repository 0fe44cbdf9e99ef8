"""How well a label map agrees with another, by class."""

from collections.abc import Sequence

import numpy as np
import torch
from monai.metrics import compute_hausdorff_distance
from torch import Tensor

from shared.tasks.segmentation.grids import box_of


def segmentation_scores(
    labels: Tensor,
    reference: Tensor,
    *,
    class_names: Sequence[str],
    spacing: Sequence[float],
    unit: str = "mm",
    include_background: bool = False,
    only_in_reference: bool = False,
) -> dict[str, float]:
    """Dice, Jaccard and HD95 of each class, of the first (background) where included, and their means over these.

    labels, reference: (*S), class ids 0 … len(class_names) - 1. spacing: along each axis of S, in `unit`, in which
    HD95 is given too. A class in neither has Dice and Jaccard 1; HD95 is NaN where it is missing from one or both.
    only_in_reference: a class that the reference lacks has NaN, and does not count in the means: who drew it may not
    have drawn that.
    Source: Dice 2 |A and B| / (|A| + |B|); MONAI's compute_hausdorff_distance; HD95 is the larger of the two directed
    95th percentiles of surface distances. Raises ValueError when the shapes differ.
    """
    if labels.shape != reference.shape:
        raise ValueError(f"expected label maps of one shape, got {tuple(labels.shape)} and {tuple(reference.shape)}")
    first = 0 if include_background else 1
    a, b = labels.numpy(), reference.numpy()
    confusion = _confusion(a, b, len(class_names))
    sizes, of_reference = (confusion.sum(axis=axis)[first:] for axis in (0, 1))
    both = confusion.diagonal()[first:]
    dice = np.where(sizes + of_reference > 0, 2 * both / np.maximum(sizes + of_reference, 1), 1.0)
    if only_in_reference:
        dice[of_reference == 0] = np.nan
    hd95 = [_hd95(a == i, b == i, spacing) for i in range(first, len(class_names))]
    by_class = {"dice": dice.tolist(), "jaccard": (dice / (2 - dice)).tolist(), f"hd95_{unit}": hd95}
    scores = {}
    for metric, values in by_class.items():
        scores[f"{metric}_mean"] = float(torch.tensor(values, dtype=torch.float64).nanmean())
        scores |= {f"{metric}_{name}": value for name, value in zip(class_names[first:], values)}
    return scores


def jaccard_indices(labels: np.ndarray, reference: np.ndarray, num_classes: int) -> np.ndarray:
    """The Jaccard index of each class 0 … num_classes - 1; NaN where it is in neither map.

    labels, reference: (*S), class ids.
    """
    confusion = _confusion(labels, reference, num_classes)
    both = confusion.diagonal()
    either = confusion.sum(axis=0) + confusion.sum(axis=1) - both
    return np.where(either > 0, both / np.maximum(either, 1), np.nan)


def mean_dice(labels: np.ndarray, reference: np.ndarray, num_classes: int) -> float:
    """The mean Dice over the classes from 1 on that the reference has; NaN where it has none.

    labels, reference: (*S), class ids.
    """
    jaccard = jaccard_indices(labels, reference, num_classes)
    drawn = [index for index in range(1, num_classes) if (reference == index).any()]
    return float(np.mean(2 * jaccard[drawn] / (1 + jaccard[drawn]))) if drawn else float("nan")


def _confusion(labels: np.ndarray, reference: np.ndarray, num_classes: int) -> np.ndarray:
    """(num_classes, num_classes): how many voxels have each class of the reference (row) and of `labels` (column)."""
    pairs = np.bincount(reference.ravel().astype(np.int64) * num_classes + labels.ravel(), minlength=num_classes**2)
    return pairs.reshape(num_classes, num_classes)


def _hd95(a: np.ndarray, b: np.ndarray, spacing: Sequence[float]) -> float:
    """Of two masks (*S), looked at in the box that holds both, with a margin, which keeps the surfaces as they are."""
    box = box_of(a | b)
    if box is None or not (a.any() and b.any()):
        return float("nan")
    around = tuple(slice(max(s.start - 1, 0), s.stop + 1) for s in box)
    first, second = (torch.from_numpy(mask[around])[None, None].float() for mask in (a, b))
    distance = compute_hausdorff_distance(
        first, second, include_background=True, percentile=95, spacing=list(spacing)
    )  # fmt: skip
    return float(distance)
