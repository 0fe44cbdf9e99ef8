"""Bringing the intensities of pictures of any depth to one range."""

import numpy as np
from monai.config import KeysCollection
from monai.transforms import MapTransform

from shared.images.ranges import within_extremes
from shared.samples import Sample


class ScaleByRanged(MapTransform):
    """Bring images (C, *S) to 0 … 1, all channels together; pixels far from the others do not count and are clipped.

    lower, upper, margin: see `within_extremes`.
    """

    def __init__(self, keys: KeysCollection, *, lower: float = 0.05, upper: float = 99.95, margin: float = 0.5) -> None:
        super().__init__(keys)
        self.percentiles = (lower, upper)
        self.margin = margin

    def __call__(self, data: Sample) -> Sample:
        out = dict(data)
        for key in self.key_iterator(out):
            low, high = within_extremes(np.asarray(out[key]), self.percentiles, self.margin)
            out[key] = out[key].sub(low).div_(high - low).clamp_(0, 1)
        return out
