"""Which task a data set is for, by its layout, and how it is planned."""

from collections.abc import Callable
from pathlib import Path

from shared.errors import InputError
from shared.planning.budget import Budget
from shared.planning.faults import Faults
from shared.planning.planned import Planned
from shared.planning.segmentation_data import look_at_segmentation
from shared.planning.segmentation_plan import as_planned, plan_segmentation

AUTO = "auto"
Planning = Callable[[str], Planned]  # from the title of the bundle


def segmentation(root: Path, budget: Budget, title: str) -> Planned:
    """Look at the data, report what is wrong with them, and plan. Raises InputError where they cannot be used."""
    faults = Faults()
    data = look_at_segmentation(root, faults)
    faults.refuse(root)
    assert data is not None  # else there is a fault
    return as_planned(plan_segmentation(data, budget), title)


TASKS: dict[str, Callable[[Path, Budget, str], Planned]] = {"segmentation": segmentation}


def task_of(root: Path) -> str:
    """The task that the layout of `root` is for. Raises InputError where it is for none that is planned."""
    if not root.is_dir():
        raise InputError(root, expected="a folder", got="none", fix="check --dataset_dir")
    return "segmentation"
