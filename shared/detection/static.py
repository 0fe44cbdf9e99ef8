"""Non-maximum suppression whose work and result are of fixed size, so that it can be exported and runs in batches."""

import torch
import torch.nn.functional as F
from torch import Tensor

from shared.detection.boxes import intersection_over_union

DEPTH = 16  # of chains "a covers b, which covers c, …"; up to 9 were seen


def suppress_fixed(boxes: Tensor, scores: Tensor, *, overlap: float, most: int) -> tuple[Tensor, Tensor]:
    """Of boxes (B, N, 2 D) with scores (B, N): the indices (B, most) kept, surest first, and which are any, (B, most).

    A box goes where a surer one that stays overlaps it by more than the IoU `overlap`.
    Source: cluster NMS, Zheng et al., Enhancing Geometric Factors in Model Learning and Inference, 2020, sec. 4:
    exact once it ran as many rounds as chains of covered boxes are long. Scores of -inf are of no box.
    """
    missing = max(0, most - scores.shape[1])
    boxes, scores = F.pad(boxes, (0, 0, 0, missing)), F.pad(scores, (0, missing), value=-torch.inf)
    scores, order = scores.sort(dim=1, descending=True)
    boxes = boxes.gather(1, order[..., None].expand_as(boxes))
    covers = intersection_over_union(boxes[:, :, None], boxes[:, None]) > overlap
    covers = torch.triu(covers, diagonal=1).to(boxes.dtype)  # surer ones cover less sure ones
    kept = torch.ones_like(scores)
    for _ in range(DEPTH):
        kept = (torch.einsum("bn,bnm->bm", kept, covers) == 0).to(boxes.dtype)
    ranked = torch.where(kept > 0, scores, -torch.inf)
    best, first = ranked.topk(most, dim=1)
    present = best > -torch.inf
    return order.gather(1, first) * present, present
