"""What is chosen on validation: scores from which as many objects are counted as there are, or a temperature."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from shared.files import read_json
from shared.planning.planned import Planned
from shared.planning.training import Trained, evaluate

LEAST = 0.01  # of a threshold
# Options of evaluation with which everything that a threshold could leave out is seen.
SEEING_ALL: dict[str, dict[str, Any]] = {"detection": {}, "instances": {"threshold": 0.05}}


def choose_thresholds(bundle: Path, dataset_dir: Path, planned: Planned, trained: Trained) -> dict[str, float]:
    """By class, those of the network `trained` on the cases that it was validated on; {} in tasks without any."""
    if planned.task not in SEEING_ALL:
        return {}
    folder = trained.folder / "thresholds"
    evaluate(bundle, dataset_dir, trained, folder, pictures=False, **SEEING_ALL[planned.task])
    return chosen_thresholds(planned, read_json(folder / "metrics.json"))


def choose_temperature(bundle: Path, dataset_dir: Path, planned: Planned, trained: Trained) -> float | None:
    """By what logits are divided: of a segmentation, the median of what would suit each case; None in other tasks."""
    if planned.task != "segmentation":
        return None
    folder = trained.folder / "temperature"
    evaluate(bundle, dataset_dir, trained, folder, pictures=False)
    best = read_json(folder / "metrics.json").get("temperature", {}).get("median")
    return None if best is None else round(best, 2)


def chosen_thresholds(planned: Planned, metrics: Mapping[str, Any]) -> dict[str, float]:
    """By class, from what an evaluation of all objects wrote; one of which too few were found has the planned one.

    planned: before any were chosen.
    """
    by_class = OF_TASK[planned.task](planned, metrics)
    usual = float((planned.arguments if planned.task == "detection" else planned.arguments["tiling"])["threshold"])
    return {name: usual if x is None else _two_digits(x) for name, x in by_class.items()}


def with_thresholds(planned: Planned, thresholds: Mapping[str, float]) -> Planned:
    """The plan of a bundle that counts by these, of which there are some."""
    option = threshold_option(planned, thresholds)
    if planned.task == "instances":
        option = {"tiling": planned.arguments["tiling"] | option}
    return planned.changed(**option)


def threshold_option(planned: Planned, thresholds: Mapping[str, float]) -> dict[str, Any]:
    """The option of inference and evaluation that says so: by class, or the number of the one there is."""
    if not thresholds:
        return {}
    return {"threshold": dict(thresholds) if planned.task == "detection" else next(iter(thresholds.values()))}


def _of_detection(planned: Planned, metrics: Mapping[str, Any]) -> dict[str, float | None]:
    return {name: metrics["at_threshold"][name]["counts_right"] for name in planned.lists["class_names"]}


def _of_instances(planned: Planned, metrics: Mapping[str, Any]) -> dict[str, float | None]:
    (name,) = planned.arguments["class_names"]
    return {name: metrics["counts_right"]}


OF_TASK: Mapping[str, Callable[[Planned, Mapping[str, Any]], dict[str, float | None]]] = {
    "detection": _of_detection,
    "instances": _of_instances,
}


def _two_digits(threshold: float) -> float:
    """Rounded down, since the number of objects is right up to it; three digits may be a figure of the card."""
    return max(LEAST, math.floor(round(1000 * threshold) / 10) / 100)
