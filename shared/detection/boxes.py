"""How boxes overlap. A box is its corners (x1, y1[, z1], x2, y2[, z2]); 2D and 3D in one code path."""

from itertools import combinations
from math import pi

import torch
from torch import Tensor

from shared.detection.greedy import EPSILON


def picked(rows: Tensor, index: Tensor) -> Tensor:
    """Those of rows (B, N, C), boxes or what else there is N of, that `index` (B, K) names: (B, K, C)."""
    return rows.gather(1, index[..., None].expand(-1, -1, rows.shape[2]))


def intersection_over_union(a: Tensor, b: Tensor) -> Tensor:
    """Of boxes (..., 2 D) one by one, or of all with all by broadcasting: (...); 0 where both are empty."""
    (a_low, a_high), (b_low, b_high) = a.chunk(2, dim=-1), b.chunk(2, dim=-1)
    common = (torch.minimum(a_high, b_high) - torch.maximum(a_low, b_low)).clamp(min=0).prod(dim=-1)
    volumes = [(high - low).clamp(min=0).prod(dim=-1) for low, high in ((a_low, a_high), (b_low, b_high))]
    return common / (volumes[0] + volumes[1] - common + EPSILON)


def complete_iou(found: Tensor, true: Tensor) -> Tensor:
    """IoU less a distance of the centres and an unlikeness of the proportions: (...) of boxes (..., 2 D), at most 1.

    The first is squared, in squared diagonals of the smallest box around both; the second counts as much as it should
    at that overlap. Source: Zheng et al., Distance-IoU Loss, AAAI 2020, eq. 7 to 11. Differs: in 3D the unlikeness is
    the mean over pairs of axes.
    """
    (f_low, f_high), (t_low, t_high) = found.chunk(2, dim=-1), true.chunk(2, dim=-1)
    overlap = intersection_over_union(found, true)
    around = (torch.maximum(f_high, t_high) - torch.minimum(f_low, t_low)).square().sum(dim=-1) + EPSILON
    apart = ((f_low + f_high - t_low - t_high) / 2).square().sum(dim=-1)
    f_size, t_size = (f_high - f_low).clamp(min=EPSILON), (t_high - t_low).clamp(min=EPSILON)
    unlike = torch.stack([
        (torch.atan(f_size[..., i] / f_size[..., j]) - torch.atan(t_size[..., i] / t_size[..., j])).square()
        for i, j in combinations(range(f_size.shape[-1]), 2)
    ]).mean(dim=0) * 4 / pi**2  # fmt: skip
    with torch.no_grad():
        weight = unlike / (1 - overlap + unlike + EPSILON)
    return overlap - apart / around - weight * unlike
