"""Measuring: alternating rounds, limits, failures that are reported, processes of their own."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from shared.benchmarks.bundles import Effort, measure_methods
from shared.benchmarks.measuring import NotMeasuredError, alternate, each, in_own_process, time_limit
from shared.benchmarks.methods import Method, Subject

BUILDERS = """
import numpy as np
from shared.benchmarks.methods import Runs

def allocating(subject, mib):
    return Runs(lambda: np.ones(mib * 2**17).sum())  # 8 bytes each

def failing(subject):
    raise ValueError("the reason")

def dying(subject):
    import os
    os._exit(3)

def sleeping(subject):
    import time
    return Runs(lambda: time.sleep(60))
"""


@pytest.fixture
def subject(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Subject:
    """One for which methods of `BUILDERS` can be built in a process of their own."""
    (tmp_path / "builders_here.py").write_text(BUILDERS, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return Subject("none", "none", "cpu", 1)


def method(builder: str, **options: object) -> Method:
    return Method(builder, f"builders_here.{builder}", options)


def test_a_process_that_allocates_200_mib_more_has_a_peak_of_200_mib_more(subject: Subject) -> None:
    little, much = (in_own_process(method("allocating", mib=mib), subject)["peak_mib"] for mib in (1, 201))
    assert 200 - 5 < much - little < 200 + 50  # the interpreter's own pages differ by a few MiB between runs


def test_the_memory_of_the_process_that_measures_is_not_counted(subject: Subject) -> None:
    held = np.ones(400 * 2**17)  # what a fork has of it, Linux counts in getrusage
    assert in_own_process(method("allocating", mib=1), subject)["peak_mib"] < 300
    assert held[-1] == 1


def test_start_up_is_what_passed_between_the_call_and_the_first_result(subject: Subject) -> None:
    begun = time.time()
    figures = in_own_process(method("allocating", mib=1), subject)
    assert 0 < figures["start_s"] <= time.time() - begun


def test_what_a_process_fails_of_is_told(subject: Subject) -> None:
    with pytest.raises(NotMeasuredError, match="the reason"):
        in_own_process(method("failing"), subject)
    with pytest.raises(NotMeasuredError, match="exit code 3"):
        in_own_process(method("dying"), subject)
    with pytest.raises(TimeoutError, match="more than 2 s"):
        in_own_process(method("sleeping"), subject, limit=2)


def test_rounds_alternate_and_each_method_is_warmed_before_it_is_timed() -> None:
    order: list[str] = []
    times = alternate({name: lambda name=name: order.append(name) for name in "ab"}, rounds=2, seconds=60)  # type: ignore[misc]
    assert order == list("aabb" * 2)
    assert {name: len(values) for name, values in times.items()} == {"a": 2, "b": 2}


def test_no_more_rounds_begin_once_time_is_up_but_three_are_taken() -> None:
    times = alternate({"a": lambda: None}, rounds=9, seconds=0, warm=False)
    assert len(times["a"]) == 3


def test_a_method_that_takes_longer_than_all_rounds_are_to_is_timed_once_and_not_warmed() -> None:
    now, runs = [0.0], []

    def lasting(name: str, seconds: float) -> None:
        runs.append(name)
        now[0] += seconds

    methods = {"slow": lambda: lasting("slow", 9.0), "quick": lambda: lasting("quick", 0.1)}
    times = alternate(methods, rounds=3, seconds=4, clock=lambda: now[0])
    assert runs == ["slow", *["quick"] * 6]
    assert times == {"slow": [9.0], "quick": pytest.approx([0.1] * 3)}


def test_a_method_that_fails_is_told_with_its_reason_and_the_others_go_on() -> None:
    reasons = {"known": "failed before"}

    def do(name: str) -> str:
        if name == "slow":
            raise NotMeasuredError("it is too slow")
        return {"good": "done", "known": "never asked"}[name]

    assert each(["bad", "slow", "known", "good"], do, reasons) == {"good": "done"}
    assert reasons == {"known": "failed before", "bad": "KeyError: 'bad'", "slow": "it is too slow"}


def test_a_limit_is_told_as_such_even_where_a_library_wraps_it() -> None:
    def wrapping() -> None:
        try:
            time.sleep(5)
        except TimeoutError as error:
            raise RuntimeError("a library's own") from error

    with pytest.raises(TimeoutError, match=r"more than 0\.05 s"), time_limit(0.05):
        wrapping()
    with pytest.raises(KeyError), time_limit(5):
        raise KeyError


def test_of_methods_that_fail_in_a_part_the_others_have_figures_and_they_a_reason(subject: Subject) -> None:
    subject.image = np.zeros((1, 1, 4, 4), np.float32)
    methods = [method("failing"), method("dying"), method("allocating", mib=1)]
    table = measure_methods(methods, subject, Effort(("start",)))
    *failed, last = table.rows
    assert failed == [{"method": "failing"}, {"method": "dying"}]
    assert {"peak_mib", "start_s"} <= set(last)
    assert table.notes == ["failing: ValueError: the reason", "dying: exit code 3"]


def test_start_up_is_measured_of_the_methods_that_ask_for_it(subject: Subject) -> None:
    subject.image = np.zeros((1, 1, 4, 4), np.float32)
    methods = [method("allocating", mib=1), replace(method("failing"), starts=False)]
    table = measure_methods(methods, subject, Effort(("start",)))
    assert "start_s" in table.rows[0]
    assert table.rows[1] == {"method": "failing"}
    assert table.notes == []  # it was not even begun
