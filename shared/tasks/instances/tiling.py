"""Instances found in an image tile by tile. Needs no torch."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import ceil

import numpy as np

from shared.detection.fusing import Seen, fuse_views
from shared.detection.pasting import Box, Piece, paste_mask, stitch
from shared.detection.sizing import Objects, Remembering, estimated_width
from shared.errors import InputError
from shared.images.magnifying import Magnification
from shared.images.resizing import resized

Network = Callable[[np.ndarray], Sequence[np.ndarray]]  # of an image (1, C, *S), the fields of `Instances`
SEEN = 0.1  # score of the objects by whose size an image is magnified
MARGIN = 1  # pixels from the border of a tile at which what ends there counts as cut
INSIDE = 0.45  # likelihood from which a pixel is of the instance: J / (1 + J), if their masks have a mean IoU J of 0.8


@dataclass(frozen=True, kw_only=True)
class Tiling:
    """Find the instances of an image (C, *S) of any size, whole or in tiles of at most `roi_size`.

    overlap: pixels by which tiles overlap at least; what is not larger is seen whole in one of them. scales: each tile
    is looked at enlarged by each of them, and what is seen is fused. threshold: score below which an instance is left
    out; smallest: pixels, likewise. magnification: by how much more images are enlarged, so that all these pixels are
    of an image whose objects it knows. Raises InputError where there is no scale, or one is not above 0.
    Source of `INSIDE`: Lipton et al., Optimal Thresholding of Classifiers to Maximize F1 Measure, 2014, theorem 1: half
    of the best F1, which is 2 J / (1 + J).
    """

    roi_size: Sequence[int]
    overlap: int = 64
    scales: Sequence[float] = (1,)
    threshold: float = 0.5
    smallest: int = 8
    magnification: Magnification | None = None

    def __post_init__(self) -> None:
        if not self.scales or min(self.scales) <= 0:
            raise InputError(
                "--scales", expected="one factor above 0, or more", got=list(self.scales), fix="correct them"
            )

    def __call__(
        self, image: np.ndarray, network: Network, pixel_size: float | None = None
    ) -> tuple[np.ndarray, list[Piece]]:
        """Ids (*S), int32, 0 the background, 1 … N the surest first, and the piece of each, with score and label.

        pixel_size: of the image, in µm, where it is known.
        """
        if self.magnification is None:
            return self._found(image, network)
        seen_once = Remembering(network)
        factor = self.magnification.factor(image.shape[1:], pixel_size, lambda: self._estimated_width(image, seen_once))
        return self._enlarging(factor)._found(image, seen_once)

    def _enlarging(self, factor: float) -> "Tiling":
        """For an image that is to be enlarged by `factor` besides."""
        return replace(
            self,
            roi_size=[max(1, round(length / factor)) for length in self.roi_size],
            overlap=round(self.overlap / factor),
            scales=[scale * factor for scale in self.scales],
            smallest=max(1, round(self.smallest / factor**2)),
            magnification=None,
        )

    def _estimated_width(self, image: np.ndarray, network: Network) -> float | None:
        def at(part: np.ndarray, factor: float) -> Objects:
            seen = look(part, factor * self.scales[0], SEEN, network)
            low, high = np.split(seen.boxes, 2, axis=1)
            return Objects(np.sqrt((high - low).prod(axis=1)), seen.scores)

        assert self.magnification is not None
        return estimated_width(image, at, self.magnification, window=min(self.roi_size))

    def _found(self, image: np.ndarray, network: Network) -> tuple[np.ndarray, list[Piece]]:
        size = image.shape[1:]
        pieces: list[Piece] = []
        least = self.threshold / len(self.scales)  # what one view alone shows with less cannot reach the threshold
        for tile in tiles(size, self.roi_size, self.overlap):
            views = [look(image[(slice(None), *tile.window)], scale, least, network) for scale in self.scales]
            pieces += self._pieces(fuse_views(views), tile, size)
        return stitch(pieces, size, smallest=self.smallest)

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


def look(image: np.ndarray, scale: float, least: float, network: Network) -> Seen:
    """What `network` sees, of scores above `least`, in an image (C, *S) enlarged by `scale`: in its own pixels."""
    size = image.shape[1:]
    enlarged = [max(1, round(scale * length)) for length in size]
    boxes, scores, labels, masks = (values[0] for values in network(resized(image, enlarged)[None])[:4])
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
