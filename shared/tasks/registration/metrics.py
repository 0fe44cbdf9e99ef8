"""How well a displacement field registers a pair, and how it treats space."""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from shared.spatial.warping import compose


def label_dice(a: Tensor, b: Tensor, labels: Sequence[int]) -> list[float]:
    """Dice of each label between two label maps (*S); NaN for a label that is in neither."""
    voxels = [_voxels_by_label(ids) for ids in (a, b, a[a == b])]  # once each: a pass a label would take a hundred
    values = []
    for label in labels:
        in_a, in_b, in_both = (counts.get(label, 0) for counts in voxels)
        values.append(2 * in_both / (in_a + in_b) if in_a + in_b else float("nan"))
    return values


def regularity(determinant: Tensor) -> dict[str, float]:
    """How a displacement whose det J is `determinant`, of any shape, treats space.

    folds_percent: voxels whose det J ≤ 0. sd_log_jacobian: the standard deviation of log det J over the others: how
    unevenly volumes change. For images that are one voxel thin along an axis, give that of the plane.
    """
    positive = determinant[determinant > 0]
    return {
        "folds_percent": 100 * float((determinant <= 0).float().mean()),
        "sd_log_jacobian": float(positive.log().std(correction=0)) if positive.numel() else float("nan"),
    }


def inverse_consistency(there: Tensor, back: Tensor) -> float:
    """The mean distance, in voxels, by which there and back again misses; both (B, D, *S) displacements."""
    return float(compose(there, back).square().sum(dim=1).sqrt().mean())


def _voxels_by_label(ids: Tensor) -> dict[int, int]:
    labels, counts = np.unique(ids.cpu().numpy(), return_counts=True)
    return dict(zip(labels.tolist(), counts.tolist()))
