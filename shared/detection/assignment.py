"""Which place of a detector is to find which object."""

from dataclasses import dataclass

import torch
from torch import Tensor

from shared.detection.boxes import intersection_over_union, picked


@dataclass
class Assigned:
    """What each of N places of B images is to say."""

    boxes: Tensor  # (B, N, 2 D), of the object it is to find
    scores: Tensor  # (B, N, C), from 0 to 1: how well it can
    chosen: Tensor  # (B, N), whether it is to find one


@torch.no_grad()
def assign_by_task(
    boxes: Tensor,
    scores: Tensor,
    centres: Tensor,
    true_boxes: Tensor,
    true_classes: Tensor,
    present: Tensor,
    *,
    places: int = 10,
    alpha: float = 0.5,
    beta: float = 6.0,
) -> Assigned:
    """Give each object the `places` inside it that do best at both tasks, s^alpha · u^beta.

    boxes: (B, N, 2 D), scores: (B, N, C), of the places; s is that of the object's class, u the IoU with it. centres:
    (N, D). true_boxes: (B, M, 2 D), true_classes: (B, M), and which of the M there are: present, (B, M).
    A place wanted by several objects goes to the one it overlaps most. A place's target score is its own alignment,
    scaled so that the object's best place gets the best IoU.
    Source: Feng et al., TOOD: Task-aligned One-stage Object Detection, ICCV 2021, sec. 3.2 and 3.3.
    """
    low, high = true_boxes.chunk(2, dim=-1)
    inside = ((centres > low[:, :, None]) & (centres < high[:, :, None])).all(dim=-1) & present[..., None]  # (B, M, N)
    overlaps = intersection_over_union(true_boxes[:, :, None], boxes[:, None]) * inside
    index = true_classes.clamp(min=0)[:, :, None].expand(-1, -1, scores.shape[1])
    of_class = scores.transpose(1, 2).gather(1, index)
    alignment = of_class.clamp(min=0) ** alpha * overlaps**beta * inside

    best = alignment.topk(min(places, alignment.shape[-1]), dim=-1).indices
    wanted = torch.zeros_like(inside).scatter_(-1, best, value=True) & inside
    rivals = wanted.sum(dim=1, keepdim=True) > 1
    favourite = torch.zeros_like(wanted).scatter_(1, (overlaps * wanted).argmax(dim=1, keepdim=True), value=True)
    wanted = torch.where(rivals, favourite & wanted, wanted)

    chosen, which = wanted.any(dim=1), wanted.to(torch.uint8).argmax(dim=1)  # (B, N)
    alignment, overlaps = alignment * wanted, overlaps * wanted
    scale = overlaps.amax(dim=-1, keepdim=True) / alignment.amax(dim=-1, keepdim=True).clamp(min=1e-9)
    quality = (alignment * scale).amax(dim=1)  # (B, N)
    targets = torch.zeros_like(scores)
    targets.scatter_(2, true_classes.clamp(min=0).gather(1, which)[..., None], (quality * chosen)[..., None])
    return Assigned(picked(true_boxes, which), targets, chosen)
