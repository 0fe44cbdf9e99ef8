"""Suppression by ONNX's NonMaxSuppression, as an operation that torch knows and its exporter translates."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from onnxscript import opset20
from torch import Tensor

from shared.detection.suppression import suppress

op: Any = opset20  # its hints have every type that a constant may be of


@torch.library.custom_op("monai_bundle_zoo::kept", mutates_args=())
def kept(boxes: Tensor, scores: Tensor, overlap: float, most: int) -> Tensor:
    """Which of the boxes (B, N, 4) with scores (B, N) stay, `most` an image at most: (B, N), 1 or 0; none of -inf."""
    flags = torch.zeros_like(scores)
    for flag, corners, likely in zip(flags, boxes, scores):
        there = torch.isfinite(likely).nonzero()[:, 0]
        flag[there[suppress(corners[there], likely[there], overlap=overlap, most=most)]] = 1
    return flags


@kept.register_fake
def _(boxes: Tensor, scores: Tensor, overlap: float, most: int) -> Tensor:
    return torch.empty_like(scores)


def kept_in_onnx(boxes: Any, scores: Any, overlap: float, most: int) -> Any:
    """The same in ONNX: indices (M, 3) of image, class and box, scattered into flags."""
    lowest = op.Constant(value_float=-1e30)
    found = op.NonMaxSuppression(
        boxes, op.Unsqueeze(scores, op.Constant(value_ints=[1])), op.Constant(value_ints=[most]),
        op.Constant(value_floats=[overlap]), op.CastLike(op.Reshape(lowest, op.Constant(value_ints=[1])), scores),
    )  # fmt: skip
    places = op.Gather(found, op.Constant(value_ints=[0, 2]), axis=1)
    ones = op.Expand(op.Constant(value_floats=[1.0]), op.Gather(op.Shape(found), op.Constant(value_ints=[0]), axis=0))
    return op.ScatterND(op.Expand(op.Constant(value_float=0.0), op.Shape(scores)), places, ones)


TRANSLATIONS: dict[Callable, Callable] = {torch.ops.monai_bundle_zoo.kept.default: kept_in_onnx}


def suppress_by_op(boxes: Tensor, scores: Tensor, *, overlap: float, most: int) -> tuple[Tensor, Tensor]:
    """As `suppress_fixed`, 2D only; exported, it is one NonMaxSuppression."""
    missing = max(0, most - scores.shape[1])
    boxes, scores = F.pad(boxes, (0, 0, 0, missing)), F.pad(scores, (0, missing), value=-torch.inf)
    stay = torch.ops.monai_bundle_zoo.kept(boxes, scores, overlap, most)
    best, index = scores.masked_fill(stay == 0, -torch.inf).topk(most, dim=1)
    present = best > -torch.inf
    return index * present, present
