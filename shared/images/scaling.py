"""Bringing the intensities of pictures of any depth to one range."""

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import convert_to_dst_type

from shared.images.ranges import scaled, within_extremes
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
            values = np.asarray(out[key])
            low, high = within_extremes(values, self.percentiles, self.margin)
            done = torch.from_numpy(scaled(values, low, high))
            out[key] = convert_to_dst_type(done, out[key], dtype=done.dtype)[0]
        return out
