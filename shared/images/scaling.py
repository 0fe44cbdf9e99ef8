"""Bringing the intensities of pictures of any depth to one range."""

from collections.abc import Hashable, Mapping
from typing import Any

from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform, ScaleIntensity, ScaleIntensityRangePercentiles


class ScaleByRanged(MapTransform):
    """Bring images (C, *S) to 0 … 1, all channels together.

    Where all is whole numbers from 0 to 255, as pictures of 8 bits have it, from the lowest to the highest. Else from
    the percentile `lower` to `upper`, and clipped: a sensor of more bits has hot pixels far above the picture.
    """

    def __init__(self, keys: KeysCollection, *, lower: float = 0.1, upper: float = 99.9) -> None:
        super().__init__(keys)
        self.from_extremes = ScaleIntensity()
        self.from_percentiles = ScaleIntensityRangePercentiles(lower, upper, 0.0, 1.0, clip=True)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        out = dict(data)
        for key in self.key_iterator(out):
            scaled = self.from_extremes if is_8_bit(out[key]) else self.from_percentiles
            out[key] = scaled(out[key])
            if not bool(out[key].max() > out[key].min()):  # fewer pixels stand out than the percentiles leave
                out[key] = self.from_extremes(data[key])
        return out


def is_8_bit(image: MetaTensor) -> bool:
    """Whether 8 bits a pixel hold all of an image."""
    return bool(image.min() >= 0 and image.max() <= 255 and (image == image.round()).all())
