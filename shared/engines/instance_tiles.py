"""Running an instance network over an image, in tiles."""

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from math import ceil
from typing import Any

import numpy as np
import torch
from monai.inferers import Inferer
from monai.utils import convert_to_tensor
from torch import Tensor

from shared.detection.pasting import Box, Piece, paste_mask, stitch
from shared.engines.inferers import computes_in_bfloat16
from shared.nets.mask_rcnn import Instances

MARGIN = 1  # pixels from the border of a tile at which what ends there counts as cut


class TiledInstances(Inferer):
    """Find the instances of one image (1, C, *S) of any size, whole or in tiles of at most `roi_size`.

    overlap: pixels by which tiles overlap at least; what is not larger is seen whole in one of them. threshold: score
    below which an instance is left out; smallest: pixels, likewise. bfloat16: run the network in it where the device
    has instructions for it.
    Returns {"ids": (1, 1, *S), int32, 0 the background, 1 … N the surest first; "scores" and "labels": (1, N)}.
    """

    def __init__(
        self,
        roi_size: Sequence[int],
        *,
        overlap: int = 64,
        threshold: float = 0.5,
        smallest: int = 8,
        bfloat16: bool = False,
    ) -> None:
        self.roi_size = list(roi_size)
        self.overlap = overlap
        self.threshold = threshold
        self.smallest = smallest
        self.bfloat16 = bfloat16

    def __call__(
        self, inputs: Tensor, network: Callable[..., Instances], *args: Any, **kwargs: Any
    ) -> dict[str, Tensor]:
        if len(inputs) != 1:
            raise ValueError(f"expected one image at a time, got {len(inputs)}")
        inputs, size = convert_to_tensor(inputs, track_meta=False), inputs.shape[2:]
        pieces: list[Piece] = []
        enabled = self.bfloat16 and computes_in_bfloat16(inputs.device)
        for tile in tiles(size, self.roi_size, self.overlap):
            with torch.autocast(inputs.device.type, torch.bfloat16, enabled=enabled):
                found = network(inputs[(slice(None), slice(None), *tile.window)], *args, **kwargs)
            pieces += self._pieces(found, tile, size)
        ids, kept = stitch(pieces, size, smallest=self.smallest)
        return {
            "ids": torch.as_tensor(ids)[None, None],
            "scores": torch.tensor([[piece.score for piece in kept]], dtype=torch.float32),
            "labels": torch.tensor([[piece.label for piece in kept]], dtype=torch.long),
        }

    def _pieces(self, found: Instances, tile: Box, size: Sequence[int]) -> Iterator[Piece]:
        boxes, scores, labels, masks = (values[0].float().cpu().numpy() for values in found[:4])
        for index in np.flatnonzero(scores > self.threshold):
            place, values = paste_mask(masks[index], boxes[index], tile.high - tile.low)
            mask = values > 0.5
            if mask.sum() < self.smallest:
                continue
            place = Box(place.low + tile.low, place.high + tile.low)
            cut = ((place.low <= tile.low + MARGIN) & (tile.low > 0)) | (
                (place.high >= tile.high - MARGIN) & (tile.high < size)
            )
            yield Piece(place, mask, float(scores[index]), int(labels[index]), tile, bool(cut.any()))


def tiles(size: Sequence[int], roi_size: Sequence[int], overlap: int) -> Iterator[Box]:
    """As few tiles of at most `roi_size` as cover an image of `size` with that overlap, at even distances."""
    rois = np.minimum(roi_size, size)
    starts = []
    for length, roi in zip(size, rois.tolist()):
        count = 1 if roi == length else ceil((length - overlap) / max(1, roi - overlap))
        starts.append(np.linspace(0, length - roi, count).round().astype(int).tolist())
    for low in product(*starts):
        yield Box(np.array(low), np.array(low) + rois)
