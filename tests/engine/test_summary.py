import json
import math

import numpy as np
import pytest

from shared.engine.summary import STATISTICS, summarise


def test_statistics_of_three_numbers_pass_over_what_is_not_finite() -> None:
    summary = summarise([4.0, math.nan, 1.0, math.inf, 2.0, -math.inf])
    # Mean 7/3; the squared distances from it are 25/9, 16/9 and 1/9, so the population's variance is 14/9.
    assert list(summary) == list(STATISTICS)
    assert summary == pytest.approx(
        {"mean": 7 / 3, "std": (14 / 9) ** 0.5, "median": 2, "min": 1, "max": 4, "count": 3}, abs=5e-7
    )  # rounded to six digits


@pytest.mark.parametrize("values", [[], [math.nan, math.nan]])
def test_statistics_of_nothing_are_none_and_a_count_of_zero(values: list[float]) -> None:
    assert summarise(values) == {"mean": None, "std": None, "median": None, "min": None, "max": None, "count": 0}


def test_a_summary_of_numpy_numbers_survives_json() -> None:
    summary = summarise(list(np.array([0.5, 0.25], dtype=np.float32)))
    assert json.loads(json.dumps(summary)) == summary
    assert summary["median"] == 0.375
