"""Of boxes that show the same object, keep the surest."""

import torch
from torch import Tensor

from shared.detection.greedy import surest


def suppress(
    boxes: Tensor, scores: Tensor, classes: Tensor | None = None, *, overlap: float = 0.7, most: int = 300
) -> Tensor:
    """The indices of the boxes (N, 2 D) that are kept, surest first, on their device: see `surest`."""
    arrays = [None if x is None else x.detach().cpu().numpy() for x in (boxes, scores, classes)]
    return torch.as_tensor(surest(*arrays, overlap=overlap, most=most), device=boxes.device)  # type: ignore[arg-type]
