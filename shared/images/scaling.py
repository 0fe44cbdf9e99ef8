"""Bringing the intensities of pictures of any depth to one range."""

import numpy as np
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform, ScaleIntensity

from shared.samples import Sample


class ScaleByRanged(MapTransform):
    """Bring images (C, *S) to 0 … 1, all channels together, from the lowest to the highest value.

    Where not all is whole numbers from 0 to 255, as pictures of 8 bits have it, pixels far from the others do not count
    and are clipped: a sensor of more bits has hot pixels, far above the picture. Far is further from the percentiles
    `lower` and `upper` than `margin` of the distance between these.
    """

    def __init__(self, keys: KeysCollection, *, lower: float = 0.05, upper: float = 99.95, margin: float = 0.5) -> None:
        super().__init__(keys)
        self.percentiles = (lower, upper)
        self.margin = margin
        self.from_extremes = ScaleIntensity()

    def __call__(self, data: Sample) -> Sample:
        out = dict(data)
        for key in self.key_iterator(out):
            image = out[key]
            low, high = (0.0, 0.0) if is_8_bit(image) else self.range_of(np.asarray(image))
            if high > low:
                out[key] = image.sub(low).div_(high - low).clamp_(0, 1)
            else:  # 8 bits, or fewer pixels stand out than the percentiles leave
                out[key] = self.from_extremes(image)
        return out

    def range_of(self, values: np.ndarray) -> tuple[float, float]:
        """The lowest and the highest of those values that are not far from the others."""
        low, high = np.percentile(values, self.percentiles)
        margin = self.margin * (high - low)
        near = values[(values >= low - margin) & (values <= high + margin)]
        return float(near.min()), float(near.max())


def is_8_bit(image: MetaTensor) -> bool:
    """Whether 8 bits a pixel hold all of an image."""
    return bool(image.min() >= 0 and image.max() <= 255 and (image == image.round()).all())
