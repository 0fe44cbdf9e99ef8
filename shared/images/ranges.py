"""From which intensity to which an image goes. Needs no torch."""

import numpy as np


def within_extremes(
    values: np.ndarray, percentiles: tuple[float, float] = (0.05, 99.95), margin: float = 0.5
) -> tuple[float, float]:
    """The lowest and the highest value of an image (C, *S), all channels together.

    Where not all is whole numbers from 0 to 255, as pictures of 8 bits have it, pixels far from the others do not
    count: a sensor of more bits has hot pixels, far above the picture. Far is further from the percentiles than
    `margin` of the distance between these. Where fewer pixels stand out than the percentiles leave, all count.
    """
    extremes = float(values.min()), float(values.max())
    if is_8_bit(values):
        return extremes
    low, high = np.percentile(values, percentiles)
    reach = margin * (high - low)
    near = values[(values >= low - reach) & (values <= high + reach)]
    found = float(near.min()), float(near.max())
    return found if found[1] > found[0] else extremes


def within_percentiles(
    values: np.ndarray, percentiles: tuple[float, float], *, most: int = 2**20
) -> tuple[float, float]:
    """These percentiles of an image (C, *S), all channels together; the extremes where they are the same.

    Of images of more than `most` pixels every n-th is looked at.
    """
    step = -(-values[0].size // most)
    low, high = np.percentile(values.reshape(len(values), -1)[:, ::step], percentiles)
    if high <= low:  # few pixels stand out: what there is of contrast
        return float(values.min()), float(values.max())
    return float(low), float(high)


def is_8_bit(values: np.ndarray) -> bool:
    """Whether 8 bits a pixel hold all of an image."""
    return bool(values.min() >= 0 and values.max() <= 255 and (values == values.round()).all())
