"""Non-maximum suppression whose work and result are of fixed size, so that it can be exported and runs in batches."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from shared.detection.boxes import intersection_over_union, picked

DEPTH = 16  # of chains "a covers b, which covers c, …"; up to 9 were seen


def kept_by_rounds(boxes: Tensor, scores: Tensor, overlap: float, most: int) -> Tensor:
    """Which boxes (B, N, 2 D) stay, surest first by `scores`: (B, N), 1 or 0. Also more than `most` an image.

    Source: cluster NMS, Zheng et al., Enhancing Geometric Factors in Model Learning and Inference, 2020, sec. 4:
    exact once it ran as many rounds as chains of covered boxes are long.
    """
    covers = intersection_over_union(boxes[:, :, None], boxes[:, None]) > overlap
    covers = torch.triu(covers, diagonal=1).to(boxes.dtype)  # surer ones cover less sure ones
    kept = torch.ones_like(scores)
    for _ in range(DEPTH):
        kept = (torch.einsum("bn,bnm->bm", kept, covers) == 0).to(boxes.dtype)
    return kept


def suppress_fixed(
    boxes: Tensor,
    scores: Tensor,
    *,
    overlap: float,
    most: int,
    keep: Callable[[Tensor, Tensor, float, int], Tensor] = kept_by_rounds,
) -> tuple[Tensor, Tensor]:
    """Of boxes (B, N, 2 D) with scores (B, N): the indices kept, surest first, and which are valid, both (B, most).

    A box goes where a surer one that stays overlaps it by more than the IoU `overlap`. Scores of -inf are of no box.
    keep: like `kept_by_rounds`.
    """
    missing = max(0, most - scores.shape[1])
    boxes, scores = F.pad(boxes, (0, 0, 0, missing)), F.pad(scores, (0, missing), value=-torch.inf)
    scores, order = scores.sort(dim=1, descending=True)
    kept = keep(picked(boxes, order), scores, overlap, most)
    ranked = torch.where(kept > 0, scores, -torch.inf)
    best, first = ranked.topk(most, dim=1)
    present = best > -torch.inf
    return order.gather(1, first) * present, present
