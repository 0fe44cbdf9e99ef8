"""Statistics over cases."""

from collections.abc import Sequence

import numpy as np

STATISTICS = ("mean", "std", "median", "min", "max", "count")


def summarise(values: Sequence[float]) -> dict[str, float | None]:
    """The STATISTICS of the values that are finite; `count` says how many are. None where there are none."""
    known = np.array([value for value in values if np.isfinite(value)])
    if not known.size:
        return {**dict.fromkeys(STATISTICS), "count": 0}
    numbers = (known.mean(), known.std(), np.median(known), known.min(), known.max())
    return {**{name: round(float(x), 6) for name, x in zip(STATISTICS, numbers)}, "count": len(known)}
