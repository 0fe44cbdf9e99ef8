"""How each task is planned: its data looked at, a plan concluded, and what a bundle is written from."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from shared.errors import InputError
from shared.family import network_called
from shared.planning import detection_planned, instances_planned, registration_planned, segmentation_planned
from shared.planning.budget import Budget
from shared.planning.detection_data import look_at_detection
from shared.planning.detection_plan import plan_detection
from shared.planning.faults import Faults
from shared.planning.instances_data import look_at_instances
from shared.planning.instances_plan import plan_instances
from shared.planning.planned import Planned
from shared.planning.registration_data import look_at_registration
from shared.planning.registration_plan import plan_registration
from shared.planning.segmentation_data import look_at_segmentation
from shared.planning.segmentation_plan import plan_segmentation
from shared.planning.starting import Start

AUTO = "auto"


class Way(NamedTuple):
    """look: at a folder, adding what is wrong; describe: what was concluded, for a bundle's title.

    conclude: from what `look` gives and the budget, and from a Start, where the task has one.
    """

    look: Callable[[Path, Faults], Any]
    conclude: Callable[..., Any]
    describe: Callable[[Any, str], Planned]


WAYS = {
    "segmentation": Way(look_at_segmentation, plan_segmentation, segmentation_planned.as_planned),
    "detection": Way(look_at_detection, plan_detection, detection_planned.as_planned),
    "instances": Way(look_at_instances, plan_instances, instances_planned.as_planned),
    "registration": Way(look_at_registration, plan_registration, registration_planned.as_planned),
}


def planned(
    task: str,
    root: Path,
    budget: Budget,
    title: str,
    start: Start | None = None,
    *,
    network: str = "",
    label_suffix: str = "",
) -> Planned:
    """The plan of a bundle called `title` for the data set `root`; what is wrong with that is printed before.

    network: a name of `shared.family`, for a segmentation. label_suffix: see `find_subjects`; for a registration.
    Raises InputError where the data cannot be used, no network fits into memory, or the task has no such network.
    """
    way, faults = WAYS[task], Faults()
    if network:
        way = way._replace(conclude=_with_network(task, network))
    if label_suffix:
        _only_of("registration", task, "--label_suffix")
        way = way._replace(look=partial(look_at_registration, label_suffix=label_suffix))
    data = way.look(root, faults)
    faults.refuse(root)
    return way.describe(way.conclude(data, budget, *([start] if start else [])), title)


def _with_network(task: str, network: str) -> Callable[[Any, Budget], Any]:
    """What concludes a plan with the network called so."""
    _only_of("segmentation", task, "--network")
    network_called(network, {})  # which refuses an unknown one, before any image is looked at
    return partial(plan_segmentation, network=network)


def _only_of(expected: str, task: str, option: str) -> None:
    if task != expected:
        raise InputError(option, expected=f"a {expected}", got=task, fix="leave the option out")
