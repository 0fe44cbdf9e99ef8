"""The threshold by which counts are right."""

import numpy as np
import pytest

from shared.engine.counting import right_count

SCORES = np.array([0.3, 0.9, 0.6, 0.5])


@pytest.mark.parametrize(("number", "expected"), [(1, 0.9), (3, 0.5), (4, 0.3), (0, None), (5, None)])
def test_as_many_are_counted_as_there_are(number: int, expected: float | None) -> None:
    threshold = right_count(SCORES, number)
    assert threshold == expected
    assert threshold is None or int((threshold <= SCORES).sum()) == number


def test_digits_that_are_dropped_leave_the_last_one_counted() -> None:
    assert right_count(np.array([0.7899, 0.1]), 1) == 0.789
