"""Boxes relative to other boxes, as networks give them."""

from math import log

import torch
from torch import Tensor

CENTRE_WEIGHT, SIZE_WEIGHT = 10.0, 5.0  # bring both to a variance of about 1 (Girshick, Fast R-CNN, 2015)
LARGEST_LOG = log(1000 / 16)


def encode_boxes(boxes: Tensor, references: Tensor) -> Tensor:
    """The codes (..., 2 D) of boxes (..., 2 D): shifts of the centre in sides of the reference, logarithms of sides.

    Source: Girshick et al., R-CNN, CVPR 2014, appendix C; the weights are those of monai.apps.detection's BoxCoder.
    """
    (centre, side), (reference_centre, reference_side) = _centre_and_side(boxes), _centre_and_side(references)
    return torch.cat(
        [CENTRE_WEIGHT * (centre - reference_centre) / reference_side, SIZE_WEIGHT * (side / reference_side).log()],
        dim=-1,
    )


def decode_boxes(codes: Tensor, references: Tensor) -> Tensor:
    """What `encode_boxes` encoded. Unlike MONAI's, it looks at no value on the way, so that it can be exported."""
    reference_centre, reference_side = _centre_and_side(references)
    shift, scale = codes.chunk(2, dim=-1)
    centre = reference_centre + shift / CENTRE_WEIGHT * reference_side
    half = (scale / SIZE_WEIGHT).clamp(max=LARGEST_LOG).exp() * reference_side / 2
    return torch.cat([centre - half, centre + half], dim=-1)


def clip_boxes(boxes: Tensor, size: torch.Size) -> Tensor:
    """The part of boxes (..., 2 D) within an image of `size`, D sizes."""
    limit = torch.stack([boxes.new_ones(()) * side for side in size])  # numbers of `new_tensor` are fixed in an export
    return torch.minimum(boxes.clamp(min=0), limit.repeat(2))


def _centre_and_side(boxes: Tensor) -> tuple[Tensor, Tensor]:
    low, high = boxes.chunk(2, dim=-1)
    return (low + high) / 2, (high - low).clamp(min=1e-3)
