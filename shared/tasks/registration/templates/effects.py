"""Effect sizes of one group of maps against another, voxel by voxel, and which of them are no chance."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import false_discovery_control, ttest_ind_from_stats


@dataclass
class Moments:
    """Sums over maps (*S), and what follows from them."""

    count: int = 0
    total: np.ndarray | float = 0.0
    squares: np.ndarray | float = 0.0

    def add(self, values: np.ndarray) -> None:
        self.count += 1
        self.total = self.total + values.astype(float)
        self.squares = self.squares + values.astype(float) ** 2

    @property
    def mean(self) -> np.ndarray:
        return np.asarray(self.total / self.count)

    @property
    def variance(self) -> np.ndarray:
        """Without bias; of two maps or more."""
        return np.clip(self.squares - self.count * self.mean**2, 0, None) / (self.count - 1)


def effect_size(first: Moments, second: Moments) -> np.ndarray:
    """Hedges' g, (*S): by how many standard deviations the `second` has the larger mean; 0 where there is no spread.

    Source: Hedges, Journal of Educational Statistics 6 (1981): Cohen's d of the pooled deviation, corrected for bias.
    """
    freedom = first.count + second.count - 2
    pooled = sum((group.count - 1) * group.variance for group in (first, second)) / freedom
    difference = second.mean - first.mean
    effect = np.divide(difference, np.sqrt(pooled), out=np.zeros_like(difference), where=pooled > 0)
    return effect * (1 - 3 / (4 * freedom - 1))


def q_values(first: Moments, second: Moments, *, inside: np.ndarray) -> np.ndarray:
    """(*S): the smallest rate of false discoveries at which a voxel `inside` counts as differing; 1 outside.

    By Welch's test at each voxel. Source: Benjamini and Hochberg, JRSS B 57 (1995), whose rate holds where voxels are
    independent, or depend on one another positively, as neighbours do.
    """
    described = [part for g in (second, first) for part in (g.mean, np.sqrt(g.variance), g.count)]
    with np.errstate(divide="ignore", invalid="ignore"):
        p = ttest_ind_from_stats(*described, equal_var=False).pvalue
    q = np.ones(inside.shape)
    q[inside] = false_discovery_control(np.nan_to_num(p[inside], nan=1.0))
    return q
