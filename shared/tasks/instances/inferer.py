"""Running an instance network over an image, in tiles."""

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from math import ceil

import numpy as np
import torch
import torch.nn.functional as F
from monai.inferers import Inferer
from monai.utils import convert_to_tensor
from torch import Tensor

from shared.detection.fusing import Seen, fuse_views
from shared.detection.pasting import Box, Piece, paste_mask, stitch
from shared.engine.inferers import computes_in_bfloat16
from shared.errors import InputError
from shared.nets.mask_rcnn import Instances

MARGIN = 1  # pixels from the border of a tile at which what ends there counts as cut
INSIDE = 0.45  # likelihood from which a pixel is of the instance: J / (1 + J), if their masks have a mean IoU J of 0.8


class TiledInstances(Inferer):
    """Find the instances of one image (1, C, *S) of any size, whole or in tiles of at most `roi_size`.

    overlap: pixels by which tiles overlap at least; what is not larger is seen whole in one of them. scales: each tile
    is looked at enlarged by each of them, and what is seen is fused. threshold: score below which an instance is left
    out; smallest: pixels, likewise. bfloat16: run the network in it where the device has instructions for it.
    Raises InputError where there is no scale, or one is not above 0.
    Returns {"ids": (1, 1, *S), int32, 0 the background, 1 … N the surest first; "scores" and "labels": (1, N)}.
    Source of `INSIDE`: Lipton et al., Optimal Thresholding of Classifiers to Maximize F1 Measure, 2014, theorem 1: half
    of the best F1, which is 2 J / (1 + J).
    """

    def __init__(
        self,
        roi_size: Sequence[int],
        *,
        overlap: int = 64,
        scales: Sequence[float] = (1,),
        threshold: float = 0.5,
        smallest: int = 8,
        bfloat16: bool = False,
    ) -> None:
        if not scales or min(scales) <= 0:
            raise InputError("--scales", expected="one factor above 0, or more", got=list(scales), fix="correct them")
        self.roi_size = list(roi_size)
        self.overlap = overlap
        self.scales = list(scales)
        self.threshold = threshold
        self.smallest = smallest
        self.bfloat16 = bfloat16

    def __call__(
        self, inputs: Tensor, network: Callable[..., Instances], *args: object, **kwargs: object
    ) -> dict[str, Tensor]:
        if len(inputs) != 1:
            raise ValueError(f"expected one image at a time, got {len(inputs)}")
        inputs, size = convert_to_tensor(inputs, track_meta=False), inputs.shape[2:]
        pieces: list[Piece] = []
        least = self.threshold / len(self.scales)  # what one view alone shows with less cannot reach the threshold
        enabled = self.bfloat16 and computes_in_bfloat16(inputs.device)
        for tile in tiles(size, self.roi_size, self.overlap):
            image = inputs[(slice(None), slice(None), *tile.window)]
            with torch.autocast(inputs.device.type, torch.bfloat16, enabled=enabled):
                views = [look(image, scale, least, network, *args, **kwargs) for scale in self.scales]
            pieces += self._pieces(fuse_views(views), tile, size)
        ids, kept = stitch(pieces, size, smallest=self.smallest)
        return {
            "ids": torch.as_tensor(ids)[None, None],
            "scores": torch.tensor([[piece.score for piece in kept]], dtype=torch.float32),
            "labels": torch.tensor([[piece.label for piece in kept]], dtype=torch.long),
        }

    def _pieces(self, seen: Seen, tile: Box, size: Sequence[int]) -> Iterator[Piece]:
        for index in np.flatnonzero(seen.scores > self.threshold):
            place, values = paste_mask(seen.masks[index], seen.boxes[index], tile.high - tile.low)
            mask = values > INSIDE
            if mask.sum() < self.smallest:
                continue
            place = Box(place.low + tile.low, place.high + tile.low)
            cut = ((place.low <= tile.low + MARGIN) & (tile.low > 0)) | (
                (place.high >= tile.high - MARGIN) & (tile.high < size)
            )
            yield Piece(place, mask, float(seen.scores[index]), int(seen.labels[index]), tile, bool(cut.any()))


def look(
    image: Tensor, scale: float, least: float, network: Callable[..., Instances], *args: object, **kwargs: object
) -> Seen:
    """What `network` sees, of scores above `least`, in an image (1, C, *S) enlarged by `scale`: in its own pixels."""
    size = image.shape[2:]
    enlarged = [max(1, round(scale * length)) for length in size]
    if scale != 1:
        mode = "trilinear" if len(size) == 3 else "bilinear"
        image = F.interpolate(image, enlarged, mode=mode, antialias=scale < 1 and mode == "bilinear")
    boxes, scores, labels, masks = (values[0].float().cpu().numpy() for values in network(image, *args, **kwargs)[:4])
    seen = scores > least
    back = np.tile(np.divide(size, enlarged), 2).astype(np.float32)
    return Seen(boxes[seen] * back, scores[seen], labels[seen], masks[seen])


def tiles(size: Sequence[int], roi_size: Sequence[int], overlap: int) -> Iterator[Box]:
    """As few tiles of at most `roi_size` as cover an image of `size` with that overlap, at even distances."""
    rois = np.minimum(roi_size, size)
    starts = []
    for length, roi in zip(size, rois.tolist()):
        count = 1 if roi == length else ceil((length - overlap) / max(1, roi - overlap))
        starts.append(np.linspace(0, length - roi, count).round().astype(int).tolist())
    for low in product(*starts):
        yield Box(np.array(low), np.array(low) + rois)
