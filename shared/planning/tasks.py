"""Which task a data set is for, by its layout, and how it is planned."""

from collections.abc import Callable
from pathlib import Path

from shared.planning import detection_planned, segmentation_planned
from shared.planning.budget import Budget
from shared.planning.detection_data import look_at_detection
from shared.planning.detection_plan import plan_detection
from shared.planning.faults import Faults
from shared.planning.planned import Planned
from shared.planning.segmentation_data import look_at_segmentation
from shared.planning.segmentation_plan import plan_segmentation

AUTO = "auto"
Planning = Callable[[str], Planned]  # from the title of the bundle


def segmentation(root: Path, budget: Budget, title: str) -> Planned:
    """Look at the data, report what is wrong with them, and plan. Raises InputError where they cannot be used."""
    faults = Faults()
    data = look_at_segmentation(root, faults)
    faults.refuse(root)
    assert data is not None  # else there is a fault
    return segmentation_planned.as_planned(plan_segmentation(data, budget), title)


def detection(root: Path, budget: Budget, title: str) -> Planned:
    """As `segmentation`."""
    faults = Faults()
    data = look_at_detection(root, faults)
    faults.refuse(root)
    assert data is not None
    return detection_planned.as_planned(plan_detection(data, budget), title)


TASKS: dict[str, Callable[[Path, Budget, str], Planned]] = {"segmentation": segmentation, "detection": detection}
