"""Which anchors and regions are to find which object, in training."""

from typing import NamedTuple

import torch
from monai.apps.detection.utils.ATSS_matcher import Matcher
from torch import Tensor

from shared.detection.boxes import intersection_over_union, picked


class Sampled(NamedTuple):
    """Regions to train the heads on, R an image: first those that may hold objects, then those that hold none."""

    boxes: Tensor  # (B, R, 2 D)
    matched: Tensor  # (B, R), which of the objects, or -1
    counted: Tensor  # (B, R), which of the R are valid


@torch.no_grad()
def match_anchors(matcher: Matcher, anchors: Tensor, counts: list[int], true_boxes: Tensor, present: Tensor) -> Tensor:
    """(B, N): which of the true boxes (B, M, 2 D), those present (B, M), each anchor (N, 2 D) is to find, or -1.

    counts: places of each map; at each are as many anchors.
    """
    each = len(anchors) // sum(counts)
    return torch.stack([
        matcher(boxes[valid], anchors, counts, each)[1] if valid.any() else anchors.new_full((len(anchors),), -1).long()
        for boxes, valid in zip(true_boxes, present)
    ])  # fmt: skip


@torch.no_grad()
def sample_regions(
    proposed: Tensor,
    any_proposed: Tensor,
    true_boxes: Tensor,
    present: Tensor,
    *,
    positives: int = 40,
    negatives: int = 56,
    overlap: float = 0.5,
) -> Sampled:
    """Of the proposals (B, P, 2 D) and the true boxes (B, M, 2 D), at random, regions with an object and without.

    any_proposed: (B, P), present: (B, M), which of them are valid. A region has the object that it overlaps most, by an
    IoU of `overlap` at least. Source: Ren et al., Faster R-CNN, NeurIPS 2015, sec. 3.1.3, and its reference code.
    """
    boxes = torch.cat([proposed, true_boxes], dim=1)
    valid = torch.cat([any_proposed, present], dim=1)
    shared, which = (intersection_over_union(boxes[:, :, None], true_boxes[:, None]) * present[:, None]).max(dim=2)
    luck = torch.rand(valid.shape, device=boxes.device)

    def draw(eligible: Tensor, number: int) -> tuple[Tensor, Tensor]:
        best, index = torch.where(eligible, luck, -1.0).topk(min(number, luck.shape[1]), dim=1)
        return index, best >= 0

    positive, is_positive = draw(valid & (shared >= overlap), positives)
    negative, is_negative = draw(valid & (shared < overlap), negatives)
    index = torch.cat([positive, negative], dim=1)
    matched = torch.cat([
        torch.where(is_positive, which.gather(1, positive), -1), torch.full_like(negative, -1)
    ], dim=1)  # fmt: skip
    return Sampled(picked(boxes, index), matched, torch.cat([is_positive, is_negative], dim=1))
