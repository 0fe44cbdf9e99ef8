"""What a detector is trained for: surely the right classes, at the right places, in the right boxes."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from shared.detection.assignment import Assigned, assign_by_task
from shared.detection.boxes import complete_iou


class DetectionLoss(nn.Module):
    """The loss of what `Yolo.heads` found: classes · BCE + boxes · (1 - CIoU) + sides · distribution focal loss.

    found: that of `YoloHeads`. objects: (B, M, 2 D + 1), M ≥ 1 rows of corners in pixels and class; rows whose class is
    negative are none, and an image may have no other.
    Each term is divided by the sum of the target scores. Source: Li et al., Generalized Focal Loss, NeurIPS 2020,
    eq. 6; the assignment is TOOD's; weights as in YOLOv8.
    """

    def __init__(self, *, classes: float = 0.5, boxes: float = 7.5, sides: float = 1.5) -> None:
        super().__init__()
        self.weights = {"classes": classes, "boxes": boxes, "sides": sides}

    def forward(self, found: Mapping[str, Tensor], objects: Tensor) -> Tensor:
        boxes, logits = found["boxes"].transpose(1, 2), found["classes"].transpose(1, 2)
        assigned = assign_by_task(
            boxes.detach(), logits.detach().sigmoid(), found["centres"].T, objects[..., :-1], objects[..., -1].long(),
            objects[..., -1] >= 0,
        )  # fmt: skip
        total = assigned.scores.sum().clamp(min=1)
        terms = {"classes": F.binary_cross_entropy_with_logits(logits, assigned.scores, reduction="sum")}
        weight = assigned.scores.sum(dim=2)[assigned.chosen]
        terms["boxes"] = ((1 - complete_iou(boxes[assigned.chosen], assigned.boxes[assigned.chosen])) * weight).sum()
        terms["sides"] = (side_loss(found, assigned) * weight).sum()
        return torch.stack([self.weights[name] * term / total for name, term in terms.items()]).sum()


def side_loss(found: Mapping[str, Tensor], assigned: Assigned) -> Tensor:
    """Cross-entropy of the two bins next to each side's true distance, of the chosen places: their number of values."""
    centres, strides = found["centres"].T[None], found["strides"][None, :, None]
    low, high = assigned.boxes.chunk(2, dim=2)
    distances = torch.cat([centres - low, high - centres], dim=2) / strides
    number = distances.shape[2]
    logits = found["sides"].unflatten(1, (number, -1)).permute(0, 3, 1, 2)[assigned.chosen]  # (K, 2 D, bins)
    wanted = distances[assigned.chosen].clamp(0, logits.shape[2] - 1.01)
    lower = wanted.floor()
    logarithms = logits.log_softmax(dim=2)

    def of_bin(index: Tensor) -> Tensor:
        return -logarithms.gather(2, index.long()[..., None])[..., 0]

    share = wanted - lower
    return (of_bin(lower) * (1 - share) + of_bin(lower + 1) * share).mean(dim=1)
