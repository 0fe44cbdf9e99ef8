"""How a detector is run over an image of any size, and what is kept of all that it finds."""

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from monai.config import KeysCollection
from monai.data.utils import dense_patch_slices
from monai.inferers import Inferer
from monai.transforms import MapTransform
from monai.utils import convert_to_tensor
from torch import Tensor

from shared.detection.suppression import suppress
from shared.engine.inferers import computes_in_bfloat16
from shared.samples import Sample

Place = tuple[slice, ...]


class LetterboxInferer(Inferer):
    """Detect in images (B, C, *S), S = (rows, columns) of any size: (B, 4 + classes, N), corners in pixels of S.

    An image is shown to the network with its longer side resized to `input_size`, but none larger than `tile_size`
    pixels would be. One with a side of more than `largest_whole` pixels is shown in tiles of `tile_size`; those have
    `overlap` in common, and an object that the border of a tile cuts is left to its neighbour.
    most: boxes kept of each tile, those with the highest score of any class. bfloat16: run the network in it where the
    processor has instructions for it; boxes are then off by a pixel at most.
    """

    def __init__(
        self,
        *,
        input_size: int,
        tile_size: int,
        largest_whole: int,
        overlap: float = 0.4,
        most: int = 300,
        bfloat16: bool = False,
    ) -> None:
        self.input_size = input_size
        self.tile_size = tile_size
        self.largest_whole = largest_whole
        self.overlap = overlap
        self.most = most
        self.bfloat16 = bfloat16

    def __call__(self, inputs: Tensor, network: Callable[..., Tensor], *args: object, **kwargs: object) -> Tensor:
        image = convert_to_tensor(inputs)  # a MetaTensor would be carried through every layer
        longest = max(image.shape[2:])
        scale = self.input_size / max(longest if longest <= self.largest_whole else 0, self.tile_size)
        lower = self.bfloat16 and computes_in_bfloat16(image.device)
        found = []
        for place in self._places(image.shape[2:]):
            tile = image[:, :, *place]
            size = [max(1, round(side * scale)) for side in tile.shape[2:]]
            small = F.interpolate(tile, size=size, mode="bilinear", antialias=True)
            with torch.autocast(image.device.type, torch.bfloat16, enabled=lower):
                boxes, scores = network(small, *args, **kwargs).tensor_split([4], dim=1)
            factor = torch.tensor([s / n for s, n in zip(tile.shape[2:], size)], device=image.device).tile(2)
            low = torch.tensor([span.start for span in place], device=image.device).tile(2)
            boxes = boxes * factor[:, None] + low[:, None]
            whole = ~_cut(boxes, place, image.shape[2:])
            scores = scores * whole[:, None]
            best = scores.amax(dim=1).topk(min(self.most, scores.shape[2]), dim=1).indices[:, None]
            found.append(torch.cat([x.gather(2, best.expand(-1, x.shape[1], -1)) for x in (boxes, scores)], dim=1))
        return torch.cat(found, dim=2)

    def _places(self, size: torch.Size) -> Iterator[Place]:
        if max(size) <= self.largest_whole:
            yield slice(0, size[0]), slice(0, size[1])
            return
        step = max(1, round(self.tile_size * (1 - self.overlap)))
        yield from dense_patch_slices(size, [self.tile_size] * 2, [step] * 2)


def _cut(boxes: Tensor, place: Place, size: torch.Size, *, near: float = 2.0) -> Tensor:
    """Which of boxes (B, 4, N) end within `near` pixels of a border of `place` that is not the image's: (B, N)."""
    cut = torch.zeros_like(boxes[:, 0], dtype=torch.bool)
    for axis, (span, side) in enumerate(zip(place, size)):
        if span.start > 0:
            cut |= boxes[:, axis] < span.start + near
        if span.stop < side:
            cut |= boxes[:, axis + 2] > span.stop - near
    return cut


class Suppressd(MapTransform):
    """Of what a detector found, (4 + classes, N), keep each object once: (K, 6), surest first.

    A row is its corners (row1, column1, row2, column2) within the image of `image_key`, its score and its class; an
    object that is of two classes has two rows. min_score: below it nothing is kept. overlap: the IoU above which the
    surer of two boxes of a class stays. most: rows kept.
    """

    def __init__(
        self, keys: KeysCollection, *, min_score: float, overlap: float, most: int, image_key: str = "image"
    ) -> None:
        super().__init__(keys)
        self.min_score = min_score
        self.overlap = overlap
        self.most = most
        self.image_key = image_key

    def __call__(self, data: Sample) -> Sample:
        out = dict(data)
        for key in self.key_iterator(out):
            boxes, scores = convert_to_tensor(out[key]).float().tensor_split([4])
            classes, places = (scores >= self.min_score).nonzero(as_tuple=True)
            rows = torch.cat([boxes.T[places], scores[classes, places, None], classes[:, None]], dim=1)
            edge = torch.tensor(out[self.image_key].shape[1:], device=rows.device).tile(2)
            rows[:, :4] = torch.minimum(rows[:, :4].clamp(min=0), edge)
            kept = suppress(rows[:, :4], rows[:, 4], rows[:, 5], overlap=self.overlap, most=self.most)
            out[key] = rows[kept]
        return out
