"""The plan of an instance segmentation: anchors, patches and tiles by the size of the objects."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch

from shared.engine.inferers import AutocastInferer
from shared.engine.recipe import Part, component
from shared.images.layouts import TRAINING, VALIDATION
from shared.nets.mask_rcnn import MaskRCNN
from shared.planning.budget import WANTED_STEPS, Budget, Schedule, schedule
from shared.planning.instances_data import InstancesData
from shared.planning.measuring import least_seconds, made
from shared.planning.starting import Start
from shared.tasks.instances.learner import MaskRCNNLearner
from shared.tasks.instances.losses import total_loss

WIDTHS = ([32, 64, 128, 192], [24, 48, 96, 144], [16, 32, 64, 96])  # filters, the first of the nuclei's bundle
ANCHORS, LEVELS = 2, 3  # sizes of each level, and levels that have some
FINEST = 8  # pixels of the smallest anchor: two places of the finest level with anchors
ENDS = (5, 95)  # percentiles of sizes that anchors range over
OBJECTS_ALONG = 4  # of the large objects, that fit beside each other into a patch
SMALLEST, LARGEST, STEP = 256, 512, 64  # pixels of a patch
ALIKE = 1.5  # times larger or smaller than those of a network are anchors, up to which it keeps its own
BATCH = 4
TRUE_OBJECTS = 20  # in each patch of the step that is measured
FORWARD = 1 / 3  # of a step


@dataclass(frozen=True)
class InstancesPlan:
    """What is concluded from `data` for a training within `budget`. start: what it begins from, if not from scratch."""

    data: InstancesData
    budget: Budget
    anchor_sizes: list[list[int]]
    patch: int
    filters: list[int]
    step_seconds: float
    schedule: Schedule
    start: Start | None = None

    @property
    def largest(self) -> int:
        """Pixels along the longer side of all objects but a twentieth."""
        return round(float(np.percentile(self.data.longer_sides, ENDS[1])))


def plan_instances(data: InstancesData, budget: Budget, start: Start | None = None) -> InstancesPlan:
    """The widest network of which the budget has WANTED_STEPS; without a time the widest; the one of `start`."""
    sizes, patch = anchor_sizes(data.longer_sides), patch_size(data.longer_sides)
    if start and are_alike(sizes, start.anchor_sizes):
        sizes = [list(level) for level in start.anchor_sizes]
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    widths = [list(start.filters)] if start else WIDTHS
    filters, taken = widths[0], math.inf
    if budget.seconds is not None or device.type == "cuda":
        for filters in widths:
            network = network_of(filters, sizes) | {"in_channels": data.channels, "out_channels": 1}
            taken = step_seconds(network, patch, device)
            if taken * WANTED_STEPS <= budget.for_steps:
                break
    steps = math.ceil(len(data.parts[TRAINING]) / BATCH)
    tiles = float(np.mean(data.sizes.prod(axis=1))) / patch**2
    validation = 0.0 if math.isinf(taken) else FORWARD * taken / BATCH * max(1.0, tiles) * len(data.parts[VALIDATION])
    timed = schedule(budget, steps=steps, step_seconds=taken, validation_seconds=validation)
    return InstancesPlan(data, budget, sizes, patch, filters, taken, timed, start)


def anchor_sizes(longer_sides: np.ndarray) -> list[list[int]]:
    """ANCHORS sizes for each of LEVELS, apart by the same factor, over the sizes of nearly all objects."""
    low, high = np.percentile(longer_sides, ENDS).tolist()
    low = max(FINEST, low)
    count = ANCHORS * LEVELS
    sizes = np.geomspace(low, max(high, low * 1.3 ** (count - 1)), count).round().astype(int).tolist()
    return [sizes[start : start + ANCHORS] for start in range(0, count, ANCHORS)]


def are_alike(sizes: Sequence[Sequence[int]], others: Sequence[Sequence[int]]) -> bool:
    """Whether both are for objects of like sizes, so that a network's outputs for the one serve for the other."""
    ratios = np.array(sizes) / np.array(others)
    return bool(np.all(np.abs(np.log(ratios)) <= math.log(ALIKE)))


def patch_size(longer_sides: np.ndarray) -> int:
    """Pixels of a square patch into which OBJECTS_ALONG large objects fit along a side."""
    side = STEP * math.ceil(OBJECTS_ALONG * float(np.percentile(longer_sides, ENDS[1])) / STEP)
    return min(max(side, SMALLEST), LARGEST)


def network_of(filters: list[int], sizes: list[list[int]]) -> Part:
    """The network_def but for its channels."""
    return component(
        "shared.nets.mask_rcnn.build_mask_rcnn", spatial_dims=2, filters=filters, repeats=[2, 2, 2, 2],
        channels=2 * filters[0], anchor_sizes=sizes, masks=True, candidates=1200, proposals=600, detections=400,
    )  # fmt: skip


def step_seconds(network: Part, patch: int, device: torch.device) -> float:
    """A step of training on BATCH patches; see `least_seconds`."""
    built = cast(MaskRCNN, made(network).to(device, memory_format=torch.channels_last))  # type: ignore[call-overload]
    learner = MaskRCNNLearner(built)
    optimizer = torch.optim.AdamW(learner.parameters())
    image = torch.rand(BATCH, network["in_channels"], patch, patch, device=device)
    truth = {key: value.to(device) for key, value in squares(patch).items()}
    inferer = AutocastInferer()
    return least_seconds(lambda: total_loss(inferer(image, learner, truth), truth), optimizer, device)


def squares(patch: int) -> dict[str, torch.Tensor]:
    """The truth of BATCH patches of TRUE_OBJECTS squares each, as `MaskRCNNLearner` takes it."""
    side, along = patch // 8, 5
    corners = [(patch * (n // along) // along, patch * (n % along) // along) for n in range(TRUE_OBJECTS)]
    ids = torch.zeros(1, patch, patch)
    for number, (row, column) in enumerate(corners, start=1):
        ids[0, row : row + side, column : column + side] = number
    boxes = torch.tensor([[row, column, row + side, column + side] for row, column in corners], dtype=torch.float32)
    one = {
        "ids": ids, "boxes": boxes, "classes": torch.zeros(TRUE_OBJECTS, dtype=torch.long),
        "present": torch.ones(TRUE_OBJECTS, dtype=torch.bool),
    }  # fmt: skip
    return {key: torch.stack([value] * BATCH) for key, value in one.items()}
