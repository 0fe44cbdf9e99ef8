"""How a detector is shown an image of any size, and what is kept of all that it finds. Needs no torch."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from shared.detection.greedy import surest
from shared.images.resizing import resized

Place = tuple[slice, ...]


@dataclass(frozen=True, kw_only=True)
class Letterbox:
    """Detect in an image (C, *S), S = (rows, columns) of any size: (4 + classes, N), corners in pixels of S.

    An image is shown to the network with its longer side resized to `input_size`, but none larger than `tile_size`
    pixels would be. One with a side of more than `largest_whole` pixels is shown in tiles of `tile_size`; those have
    `overlap` in common, and an object that the border of a tile cuts is left to its neighbour.
    most: boxes kept of each tile, those with the highest score of any class.
    """

    input_size: int
    tile_size: int
    largest_whole: int
    overlap: float = 0.4
    most: int = 300

    def __call__(self, image: np.ndarray, network: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """network: takes what it is shown, (1, C, rows, columns), and gives (1, 4 + classes, N)."""
        size = image.shape[1:]
        longest = max(size)
        scale = self.input_size / max(longest if longest <= self.largest_whole else 0, self.tile_size)
        return np.concatenate([self._detect(image, place, scale, network) for place in self._places(size)], axis=1)

    def _detect(
        self, image: np.ndarray, place: Place, scale: float, network: Callable[[np.ndarray], np.ndarray]
    ) -> np.ndarray:
        tile = image[:, *place]
        size = [max(1, round(side * scale)) for side in tile.shape[1:]]
        found = network(resized(tile, size)[None])[0]
        factor = np.tile([side / seen for side, seen in zip(tile.shape[1:], size)], 2).astype(np.float32)
        low = np.tile([span.start for span in place], 2).astype(np.float32)
        boxes = found[:4] * factor[:, None] + low[:, None]
        scores = found[4:] * ~_cut(boxes, place, image.shape[1:])
        best = np.argsort(-scores.max(axis=0), kind="stable")[: self.most]
        return np.concatenate([boxes[:, best], scores[:, best]])

    def _places(self, size: Sequence[int]) -> Iterator[Place]:
        if max(size) <= self.largest_whole:
            yield slice(0, size[0]), slice(0, size[1])
            return
        step = max(1, round(self.tile_size * (1 - self.overlap)))
        yield from product(*(self._spans(length, step) for length in size))

    def _spans(self, length: int, step: int) -> list[slice]:
        """Along an axis: tiles `step` apart, the last of which ends where the image does."""
        side = min(self.tile_size, length)
        count = -(-(length - side) // step) + 1
        lows = [min(index * step, length - side) for index in range(count)]
        return [slice(low, low + side) for low in lows]


def _cut(boxes: np.ndarray, place: Place, size: Sequence[int], *, near: float = 2.0) -> np.ndarray:
    """Which of boxes (4, N) end within `near` pixels of a border of `place` that is not the image's: (N)."""
    cut = np.zeros(boxes.shape[1], dtype=bool)
    for axis, (span, side) in enumerate(zip(place, size)):
        if span.start > 0:
            cut |= boxes[axis] < span.start + near
        if span.stop < side:
            cut |= boxes[axis + 2] > span.stop - near
    return cut


def kept_once(found: np.ndarray, size: Sequence[int], *, min_score: float, overlap: float, most: int) -> np.ndarray:
    """Of what a detector found, (4 + classes, N), in an image of `size` each object once: (K, 6), surest first.

    A row is its corners (row1, column1, row2, column2) within the image, its score and its class; an object that is of
    two classes has two rows. min_score: below it nothing is kept. overlap: the IoU above which the surer of two boxes
    of a class stays. most: rows kept.
    """
    classes, places = np.nonzero(found[4:] >= min_score)
    boxes = found[:4].T[places]
    boxes = np.minimum(boxes.clip(min=0), np.tile(size, 2).astype(boxes.dtype))
    scores = found[4:][classes, places]
    kept = surest(boxes, scores, classes, overlap=overlap, most=most)
    return np.concatenate([boxes, scores[:, None], classes[:, None].astype(boxes.dtype)], axis=1)[kept]
