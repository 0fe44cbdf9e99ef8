"""How a detector is shown an image of any size, and what is kept of all that it finds. Needs no torch."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from shared.detection.greedy import surest
from shared.detection.sizing import Objects, Remembering, estimated_width
from shared.images.magnifying import Magnification
from shared.images.resizing import resized

Place = tuple[slice, ...]
Network = Callable[[np.ndarray], np.ndarray]
SEEN, SAME = 0.1, 0.5  # score and IoU of the objects by whose size an image is magnified


@dataclass(frozen=True, kw_only=True)
class Letterbox:
    """Detect in an image (C, *S), S = (rows, columns) of any size: (4 + classes, N), corners in pixels of S.

    An image is shown to the network resized so that `tile_size` of its pixels become `input_size`: as a whole, or if a
    side has more than `largest_whole` pixels in tiles of `tile_size`. Those have `overlap` in common, and an object
    that the border of a tile cuts is left to its neighbour. tile_size 0: `usual_tile`, of an image whose objects are
    of the size that `magnification` knows, and in proportion of others; `largest_whole` likewise.
    most: boxes kept of each tile, those with the highest score of any class.
    """

    input_size: int
    tile_size: int
    largest_whole: float
    usual_tile: int
    overlap: float = 0.4
    most: int = 300
    magnification: Magnification | None = None

    def __call__(self, image: np.ndarray, network: Network, pixel_size: float | None = None) -> np.ndarray:
        """network: takes what it is shown, (1, C, rows, columns), and gives (1, 4 + classes, N).

        pixel_size: of the image, in µm, where it is known.
        """
        seen_once = Remembering(network)
        fitted = self._fitted(image, seen_once, pixel_size)
        places = list(fitted._places(image.shape[1:]))
        return np.concatenate([fitted._detect(image, place, seen_once) for place in places], axis=1)

    def _fitted(self, image: np.ndarray, network: Network, pixel_size: float | None) -> "Letterbox":
        """The same with the tiles that suit the size of the image's objects."""
        if self.tile_size:
            return self
        usual = self._enlarging(1.0)
        if self.magnification is None:
            return usual
        known = self.magnification
        factor = known.factor(
            image.shape[1:],
            pixel_size,
            lambda: estimated_width(
                image, lambda part, by: self._enlarging(by)._look(part, network), known, window=self.usual_tile
            ),
        )
        return self._enlarging(factor)

    def _enlarging(self, factor: float) -> "Letterbox":
        tile = max(1, round(self.usual_tile / factor))
        return replace(self, tile_size=tile, largest_whole=self.largest_whole / factor, magnification=None)

    def _look(self, image: np.ndarray, network: Network) -> Objects:
        """What is seen in an image as a whole."""
        size = image.shape[1:]
        found = self._detect(image, (slice(0, size[0]), slice(0, size[1])), network)
        rows = kept_once(found, size, min_score=SEEN, overlap=SAME, most=self.most)
        return Objects(np.sqrt((rows[:, 2:4] - rows[:, :2]).prod(axis=1)), rows[:, 4])

    def _detect(self, image: np.ndarray, place: Place, network: Network) -> np.ndarray:
        scale = self.input_size / self.tile_size
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
    of a class stays. most: rows kept, or N where tiles have given more.
    """
    classes, places = np.nonzero(found[4:] >= min_score)
    boxes = found[:4].T[places]
    boxes = np.minimum(boxes.clip(min=0), np.tile(size, 2).astype(boxes.dtype))
    scores = found[4:][classes, places]
    kept = surest(boxes, scores, classes, overlap=overlap, most=max(most, found.shape[1]))
    return np.concatenate([boxes, scores[:, None], classes[:, None].astype(boxes.dtype)], axis=1)[kept]
