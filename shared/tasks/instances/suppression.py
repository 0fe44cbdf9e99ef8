"""Suppression by ONNX's NonMaxSuppression, as an operation that torch knows and its exporter translates."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from onnxscript import opset20
from torch import Tensor, library

from shared.detection.static import suppress_fixed
from shared.detection.suppression import suppress

op: Any = opset20  # its hints have every type that a constant may be of


@library.custom_op("shared::kept", mutates_args=())
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
    """The same in ONNX: indices (M, 3) of image, class and box, scattered into flags.

    The operation takes scores above 0, which OpenCV requires of its threshold: logits pass through a sigmoid, which
    keeps their order and makes 0 of -inf.
    """
    above_zero = op.Unsqueeze(op.Sigmoid(scores), op.Constant(value_ints=[1]))
    found = op.NonMaxSuppression(
        boxes, above_zero, op.Constant(value_ints=[most]), op.Constant(value_floats=[overlap]),
        op.CastLike(op.Constant(value_floats=[0.0]), scores),
    )  # fmt: skip
    places = op.Gather(found, op.Constant(value_ints=[0, 2]), axis=1)
    ones = op.Expand(op.Constant(value_floats=[1.0]), op.Gather(op.Shape(found), op.Constant(value_ints=[0]), axis=0))
    return op.ScatterND(op.Expand(op.Constant(value_float=0.0), op.Shape(scores)), places, ones)


TRANSLATIONS: dict[Callable, Callable] = {torch.ops.shared.kept.default: kept_in_onnx}
suppress_by_op = partial(suppress_fixed, keep=kept)  # 2D only; exported, it is one NonMaxSuppression
