"""The score from which as many objects are counted as there are. Needs no torch."""

import math

import numpy as np


def right_count(scores: np.ndarray, number: int) -> float | None:
    """The threshold by which `number` of the objects with these scores (K) are counted, down to three digits.

    None where there is nothing to count, or fewer were found.
    """
    if not 0 < number <= len(scores):
        return None
    return math.floor(1000 * float(np.sort(scores)[-number])) / 1000
