"""Scores that follow a power law are foretold by it, and how sure that is says the spread over cases."""

import numpy as np
import pytest

from shared.planning.power_law import doubled


def errors(count: int) -> float:
    return float(2 * count**-0.5)


def test_a_power_law_is_found_again() -> None:
    found = doubled({count: [1 - errors(count)] * 5 for count in (50, 100, 200)})
    assert found.exponent == pytest.approx(0.5)
    assert found.cases == 200
    assert found.then == pytest.approx(1 - errors(400))
    assert found.gain == pytest.approx(errors(200) - errors(400))
    assert (found.low, found.high) == pytest.approx((found.gain, found.gain))  # all cases say the same


def test_the_fewer_cases_the_wider_the_range() -> None:
    rng = np.random.default_rng(0)
    widths = []
    for cases in (10, 1000):
        noise = rng.normal(0, 0.05, (3, cases))
        found = doubled({n: 1 - errors(n) + of_cases for n, of_cases in zip((50, 100, 200), noise)})
        assert found.low < errors(200) - errors(400) < found.high
        widths.append(found.high - found.low)
    assert 5 < widths[0] / widths[1] < 20  # the square root of 100, as drawn


def test_where_more_data_did_not_help_no_gain_is_promised() -> None:
    found = doubled({25: [0.8, 0.9], 50: [0.8, 0.9], 100: [0.7, 0.8]})
    assert found.exponent < 0
    assert found.gain < 0


def test_a_case_without_a_score_counts_nowhere_and_no_error_is_no_fault() -> None:
    found = doubled({10: [0.5, float("nan")], 20: [1.0, 0.1]})
    assert found.means == {10: 0.5, 20: 1.0}
    assert found.then <= 1
