"""How wide the instances of a map are."""

import numpy as np


def typical_width(ids: np.ndarray) -> float | None:
    """The median of the square roots of the areas of ids (rows, columns), in pixels; None where there are none.

    Every other pixel is looked at, which is enough for a width and takes a quarter of the time.
    """
    thinned = ids[::2, ::2]
    areas = np.unique(thinned[thinned > 0], return_counts=True)[1]
    return 2 * float(np.median(np.sqrt(areas))) if len(areas) else None
