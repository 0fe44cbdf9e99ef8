"""The end of a training is foreseen by the epochs so far."""

import time
from types import SimpleNamespace

import pytest

from shared.engine import expectation
from shared.engine import pace as module
from shared.engine.pace import Pace


def at(monkeypatch: pytest.MonkeyPatch, *moments: float) -> None:
    """Have the start and the ends of epochs at these seconds."""
    given = iter(moments)
    monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: next(given)))


def test_the_first_epoch_counts_only_as_long_as_there_is_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    at(monkeypatch, 0.0, 100.0, 110.0, 130.0, 145.0)
    pace = Pace()
    assert pace.after_epoch(3).endswith("(in 5 min)")  # 3 × 100 s
    assert pace.after_epoch(2).endswith("(in 20 s)")  # 2 × 10 s: the first prepared what this one found ready
    assert pace.after_epoch(1).endswith("(in 15 s)")  # the mean of 10 and 20 s
    assert pace.after_epoch(0) == ""


def test_the_clock_is_that_of_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    at(monkeypatch, 0.0, 1800.0)
    midnight = SimpleNamespace(time=lambda: 0.0, localtime=time.gmtime, strftime=time.strftime)  # in any time zone
    monkeypatch.setattr(expectation, "time", midnight)
    assert Pace().after_epoch(3) == "ends at 01:30 (in 90 min)"
