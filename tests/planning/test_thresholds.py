"""Thresholds are those by which counts are right, two digits of them, and the planned one where too few were found."""

from typing import Any

import pytest

from shared.planning.planned import Planned
from shared.planning.thresholds import chosen_thresholds, with_thresholds


def planned(task: str, **arguments: Any) -> Planned:
    return Planned(
        task=task, recipe="", lists={"class_names": ["a", "b"]} if task == "detection" else {}, arguments=arguments,
        findings=[], described={}, samples=[], step_seconds=1.0,
    )  # fmt: skip


def test_each_class_of_a_detection_has_its_own() -> None:
    plan = planned("detection", threshold=0.25)
    metrics = {"at_threshold": {"a": {"counts_right": 0.589}, "b": {"counts_right": None}, "all": {}}}
    chosen = chosen_thresholds(plan, metrics)
    assert chosen == {"a": 0.58, "b": 0.25}
    assert with_thresholds(plan, chosen).arguments == {"threshold": chosen}


@pytest.mark.parametrize(("right", "expected"), [(0.29, 0.29), (0.004, 0.01), (None, 0.3)])
def test_instances_have_one(right: float | None, expected: float) -> None:
    plan = planned("instances", class_names=["cell"], tiling={"overlap": 64, "threshold": 0.3})
    chosen = chosen_thresholds(plan, {"counts_right": right})
    assert chosen == {"cell": expected}
    assert with_thresholds(plan, chosen).arguments["tiling"] == {"overlap": 64, "threshold": expected}
