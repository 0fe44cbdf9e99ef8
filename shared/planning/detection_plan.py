"""The plan of a detection: how large pictures are seen, by their objects, and how large a network is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from shared.engine.recipe import Part, component
from shared.images.layouts import TRAINING, VALIDATION
from shared.planning.budget import Budget, Schedule, schedule
from shared.planning.detection_data import DetectionData
from shared.planning.grid import Levels
from shared.planning.sizing import NARROW, WIDTHS, Sized, Sizing, bounds_of
from shared.planning.starting import Start

STRIDE = 32  # that sizes divide by: of the coarsest of the three maps
WIDE = 20  # pixels of the shorter side that most objects are to have: two and a half places of the finest map
SMALLEST, LARGEST = 256, 640  # pixels of what the network sees; LARGEST is YOLOv8's
NARROW_SHARE = 10  # percent of a class's objects that may be narrower
LEAST_SHARE = 0.75  # of the input that suits the objects, which a short budget may leave
LEVELS = 5  # the stem and four below it
FORWARD = 1 / 3  # of a step


@dataclass(frozen=True)
class DetectionPlan:
    """What is concluded from `data` for a training within `budget`. wanted: the input by the objects alone.

    start: what it begins from, if not from scratch.
    """

    data: DetectionData
    budget: Budget
    wanted: int
    sized: Sized
    schedule: Schedule
    start: Start | None = None

    @property
    def input_size(self) -> int:
        return self.sized.patch[0]


def plan_detection(data: DetectionData, budget: Budget, start: Start | None = None) -> DetectionPlan:
    """Raises InputError where no network fits into memory."""
    _, narrow = data.narrowest(NARROW_SHARE)
    wanted = input_size(narrow, data.usual_side)
    sides = range(wanted, max(SMALLEST, round(LEAST_SHARE * wanted)) - 1, -STRIDE)
    candidates = [Levels([side, side], [], [[3, 3]] * LEVELS) for side in sides]
    bounds = bounds_of(budget, voxels=float(data.sizes.prod(axis=1).sum()), channels=data.channels)
    widths = start.filters[:1] if start else (*WIDTHS, *NARROW)
    sized = Sizing(lambda _, filters: whole_network(data, filters), bounds, widths=widths).choose(candidates)
    validation = FORWARD * sized.step_seconds / sized.batch * len(data.parts[VALIDATION])
    steps = math.ceil(len(data.parts[TRAINING]) / sized.batch)
    timed = schedule(budget, steps=steps, step_seconds=sized.step_seconds, validation_seconds=validation)
    return DetectionPlan(data, budget, wanted, sized, timed, start)


def input_size(narrow: float, usual_side: int) -> int:
    """The pixels that a picture's longer side is resized to, so that objects of `narrow` pixels are WIDE.

    usual_side: the longer side of the picture as it is. It is not enlarged, and gets SMALLEST to LARGEST pixels.
    """
    side = min(usual_side, WIDE / max(narrow, 1.0) * usual_side)
    return int(np.clip(STRIDE * math.ceil(side / STRIDE), SMALLEST, LARGEST))


def network_of(filters: Sequence[int]) -> Part:
    return component("shared.nets.yolo.Yolo", spatial_dims=2, filters=list(filters), repeats=[1, 2, 2, 1])


def whole_network(data: DetectionData, filters: Sequence[int]) -> Part:
    return network_of(filters) | {"in_channels": data.channels, "out_channels": len(data.classes)}
