"""What Mask R-CNN is trained for: regions that hold objects, boxes that fit them, masks that draw them."""

import torch
import torch.nn.functional as F
from torch import Tensor

from shared.detection.boxes import complete_iou, picked


def region_loss(logits: Tensor, boxes: Tensor, matched: Tensor, true_boxes: Tensor) -> Tensor:
    """Focal loss of the anchors' logits (B, N) and 1 - CIoU of the boxes (B, N, 2 D) of those that are to find one.

    matched: (B, N), which of the true boxes (B, M, 2 D), or -1. Both are divided by the number of matched anchors.
    Source: Lin et al., Focal Loss, ICCV 2017, eq. 5 (gamma 2, alpha 0.25).
    """
    chosen = matched >= 0
    number = chosen.sum().clamp(min=1)
    wanted = chosen.to(logits.dtype)
    entropy = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    surprise = (wanted - logits.sigmoid()).abs().square()
    focal = ((0.25 * wanted + 0.75 * (1 - wanted)) * surprise * entropy).sum() / number
    return focal + box_loss(boxes, matched, true_boxes)


def class_loss(logits: Tensor, classes: Tensor, counted: Tensor) -> Tensor:
    """Cross-entropy of (B, R, 1 + C) with classes (B, R), 0 the background, over those counted, (B, R)."""
    entropy = F.cross_entropy(logits.flatten(0, 1), classes.flatten(), reduction="none")
    return (entropy * counted.flatten()).sum() / counted.sum().clamp(min=1)


def box_loss(boxes: Tensor, matched: Tensor, true_boxes: Tensor) -> Tensor:
    """The mean of 1 - CIoU of boxes (B, R, 2 D) that are matched, (B, R), with one of the true boxes, not -1."""
    chosen = matched >= 0
    true = picked(true_boxes, matched.clamp(min=0))
    return (1 - complete_iou(boxes[chosen], true[chosen])).sum() / chosen.sum().clamp(min=1)


def mask_loss(logits: Tensor, masks: Tensor, counted: Tensor) -> Tensor:
    """The mean binary cross-entropy of logits (B, R, *M) with masks from 0 to 1, over those counted, (B, R)."""
    entropy = F.binary_cross_entropy_with_logits(logits, masks, reduction="none").flatten(2).mean(dim=2)
    return (entropy * counted).sum() / counted.sum().clamp(min=1)


def total_loss(terms: dict[str, Tensor], _: object = None) -> Tensor:
    """The sum of the terms that `MaskRCNNLearner` gives, as a trainer asks for it."""
    return torch.stack(list(terms.values())).sum()
