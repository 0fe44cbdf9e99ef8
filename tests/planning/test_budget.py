"""A budget becomes epochs, and a network that is as large as it allows."""

import math
from collections.abc import Sequence

import pytest
import torch

from shared.engine.recipe import Part, component
from shared.errors import InputError
from shared.planning import sizing
from shared.planning.budget import WANTED_STEPS, budget_of, duration, schedule
from shared.planning.grid import Levels, levels
from shared.planning.measuring import Cost
from shared.planning.sizing import Bounds, Sized, Sizing

CANDIDATES = [levels([side] * 2, [1.0] * 2, most=4) for side in (128, 64, 32)]


def network_of(_: Levels, filters: Sequence[int]) -> Part:
    return component("Net", filters=list(filters))


@pytest.fixture(autouse=True)
def nothing_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred values are kept of a pixel and filter, and as many operations are on each as there are filters."""
    monkeypatch.setattr(sizing, "cost", counted)


def counted(net: Part, shape: Sequence[int]) -> Cost:
    kept = 100 * math.prod(shape) * net["filters"][0]
    return Cost(float(kept * net["filters"][0]), kept)


def chosen(budget: str, monkeypatch: pytest.MonkeyPatch, *, rate: float, memory: float = 1e12) -> Sized:
    """By a machine of `rate` operations a second."""
    monkeypatch.setattr(sizing, "seconds", lambda net, shape, _: counted(net, shape).operations / rate)
    bounds = Bounds(budget_of(budget), torch.device("cpu"), memory, 1e7, 1)
    return Sizing(network_of, bounds).choose(CANDIDATES)


def test_minutes_and_hours_are_seconds_and_a_gpu_has_no_end() -> None:
    assert budget_of("30m").seconds == 1800
    assert budget_of("1.5h").seconds == 5400
    assert budget_of("gpu").for_steps == math.inf
    for text in ("30", "0m", "4 hours"):
        with pytest.raises(InputError, match="--budget: expected minutes such as 30m"):
            budget_of(text)


def test_epochs_fill_the_time_that_validation_and_the_rest_leave() -> None:
    """Of 1,800 s 15 and 10 % are kept: 1,350 s are 25 epochs of 50 steps of 1.05 seconds."""
    timed = schedule(budget_of("30m"), steps=50, step_seconds=1.0, validation_seconds=54.0)
    assert timed.epochs == 25
    assert timed.val_interval == 5  # 270 s are 5 validations of 54 s, one in 5 epochs


def test_a_fast_machine_trains_the_largest_patch_widely_and_in_large_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    fast = chosen("30m", monkeypatch, rate=1e15)
    assert (fast.patch, fast.filters[0], fast.batch) == ([128, 128], 32, 16)


def test_a_slower_one_takes_smaller_ones_but_has_its_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    for rate in (3e10, 1e10, 3e9):
        one = chosen("30m", monkeypatch, rate=rate)
        assert one.step_seconds * WANTED_STEPS <= budget_of("30m").for_steps
        sizes.append(math.prod(one.patch) * one.filters[0])
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > sizes[-1]


def test_a_step_that_is_slower_than_its_operations_let_expect_is_chosen_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where memory, not arithmetic, takes the time: large patches at a tenth of the small ones' rate."""

    def seconds(net: Part, shape: Sequence[int], _: torch.device) -> float:
        return counted(net, shape).operations / (1e11 if shape[2] <= 32 else 1e10)

    monkeypatch.setattr(sizing, "seconds", seconds)
    one = Sizing(network_of, Bounds(budget_of("30m"), torch.device("cpu"), 1e12, 1e7, 1)).choose(CANDIDATES)
    assert one.step_seconds * WANTED_STEPS <= budget_of("30m").for_steps


def test_what_does_not_fit_into_memory_is_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    one = chosen("30m", monkeypatch, rate=1e15, memory=2e8)
    assert sizing.WAY_BACK * one.cost.kept_bytes <= 2e8
    with pytest.raises(InputError, match="memory: expected enough"):
        chosen("30m", monkeypatch, rate=1e15, memory=1e5)


def test_durations_are_read_at_a_glance() -> None:
    assert [duration(s) for s in (0.25, 45, 720, 12600, math.inf)] == [
        "0.25 s", "45 s", "12 min", "3.5 h", "an unknown time",
    ]  # fmt: skip
