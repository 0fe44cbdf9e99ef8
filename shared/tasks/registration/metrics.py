"""How well a displacement field registers a pair, and how it treats space."""

from collections.abc import Sequence

from torch import Tensor

from shared.spatial.jacobian import jacobian_determinant
from shared.spatial.warping import compose


def label_dice(a: Tensor, b: Tensor, labels: Sequence[int]) -> list[float]:
    """Dice of each label between two label maps (*S); NaN for a label that is in neither."""
    values = []
    for label in labels:
        in_a, in_b = a == label, b == label
        size = int(in_a.sum() + in_b.sum())
        values.append(2 * int((in_a & in_b).sum()) / size if size else float("nan"))
    return values


def regularity(displacement: Tensor) -> dict[str, float]:
    """How a displacement (B, D, *S), in voxels, treats space.

    folds_percent: voxels whose det J ≤ 0. sd_log_jacobian: the standard deviation of log det J over the others: how
    unevenly volumes change. For images that are one voxel thin along an axis, give the displacement of the plane.
    """
    determinant = jacobian_determinant(displacement)
    positive = determinant[determinant > 0]
    return {
        "folds_percent": 100 * float((determinant <= 0).float().mean()),
        "sd_log_jacobian": float(positive.log().std(correction=0)) if positive.numel() else float("nan"),
    }


def inverse_consistency(there: Tensor, back: Tensor) -> float:
    """The mean distance, in voxels, by which there and back again misses; both (B, D, *S) displacements."""
    return float(compose(there, back).square().sum(dim=1).sqrt().mean())
