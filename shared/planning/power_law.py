"""What more training data would bring, by a power law through the scores of trainings on fewer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

LEAST_ERROR = 1e-3  # of which the logarithm is still taken
RESAMPLES = 1000
RANGE = (5, 95)  # percentiles of the resamples


@dataclass(frozen=True)
class Doubling:
    """What twice the `cases` would bring: the score of the fit at `cases` and at twice as many, and `gain` between.

    means: the score by the number of training cases. exponent: of the law; below 0 where more data did not help.
    low, high: RANGE of the gain over resamples of the validation cases.
    """

    means: dict[int, float]
    exponent: float
    now: float
    then: float
    low: float
    high: float

    @property
    def cases(self) -> int:
        return max(self.means)

    @property
    def gain(self) -> float:
        return self.then - self.now


def doubled(scores: Mapping[int, Sequence[float]], *, seed: int = 0) -> Doubling:
    """scores: from 0 to 1, of the same validation cases in one order, by the number of training cases.

    Two numbers or more; a case without a score (NaN) counts nowhere.
    Source: Hestness et al., Deep Learning Scaling is Predictable, Empirically, arXiv:1712.00409 (2017): the error falls
    as a n^-b. Differs: no error is left that data could not take away; three points cannot tell it from the exponent.
    """
    counts = sorted(scores)
    table = np.array([scores[count] for count in counts])
    table = table[:, np.isfinite(table).all(axis=0)]
    means = table.mean(axis=1)
    exponent, now, then = _fit(counts, means)
    drawn = np.random.default_rng(seed).integers(0, table.shape[1], (RESAMPLES, table.shape[1]))
    fits = [_fit(counts, table[:, places].mean(axis=1)) for places in drawn]
    low, high = np.percentile([later - sooner for _, sooner, later in fits], RANGE)
    by_count = {count: float(mean) for count, mean in zip(counts, means)}
    return Doubling(by_count, exponent, now, then, float(low), float(high))


def _fit(counts: Sequence[int], means: np.ndarray) -> tuple[float, float, float]:
    """The exponent b of a n^-b through the errors, by least squares of logarithms, and the score at n and at 2 n."""
    slope, offset = np.polyfit(np.log(counts), np.log(np.maximum(1 - means, LEAST_ERROR)), 1)
    now, then = (1 - np.exp(offset + slope * np.log(count)) for count in (counts[-1], 2 * counts[-1]))
    return -float(slope), float(now), float(then)
