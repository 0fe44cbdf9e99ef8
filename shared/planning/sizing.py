"""How large a patch, a network and a batch may be: as much as memory holds, and steps enough fit into the budget."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from shared.engine.recipe import Part
from shared.errors import InputError
from shared.planning.budget import WANTED_STEPS, Budget
from shared.planning.grid import Levels
from shared.planning.measuring import Cost, cost, seconds

WIDTHS, NARROW = (32, 24, 16), (12, 8)  # filters of the first level: nnU-Net's and below, and for little time
MOST_FILTERS = {2: 512, 3: 320}  # of any level, by dimensions: nnU-Net's
FEWEST = {2: 4, 3: 2}  # images in a batch, by dimensions
MOST_IMAGES = 16  # in a batch
SHARE = 0.05  # of all voxels of the data set that a batch has at most: nnU-Net's
WAY_BACK = 2.0  # times what is kept for it, gradients and workspace included


@dataclass(frozen=True)
class Sized:
    """levels: with the patch. filters: of each level. batch: images. cost, step_seconds: of a step; inf: unknown."""

    levels: Levels
    filters: list[int]
    batch: int
    cost: Cost
    step_seconds: float

    @property
    def patch(self) -> list[int]:
        return self.levels.patch


@dataclass(frozen=True)
class Bounds:
    """What a network is sized by. memory: bytes. voxels: of all images together. channels: of an image."""

    budget: Budget
    device: torch.device
    memory: float
    voxels: float
    channels: int
    measured: bool = True


class Sizing:
    """Finds the largest patch, then the widest network, then the largest batch of which the budget has WANTED_STEPS.

    network_of: the network_def of levels and filters, without references. What a step takes is its operations by the
    rate that one small step was measured at; the step that is chosen is measured itself.
    """

    def __init__(self, network_of: Callable[[Levels, Sequence[int]], Part], bounds: Bounds) -> None:
        self.network_of = network_of
        self.bounds = bounds
        self.rate = 0.0  # operations a second, from the first measurement on

    def choose(self, candidates: Sequence[Levels]) -> Sized:
        """Of `candidates`, the largest patch first. Raises InputError where none fits into memory."""
        fewest = FEWEST[len(candidates[0].patch)]
        self._measure_rate(candidates[-1], fewest)
        tried = [(levels, WIDTHS[-1]) for levels in candidates] + [(candidates[-1], width) for width in NARROW]
        fitting = [one for levels, width in tried if (one := self._sized(levels, width, fewest)) is not None]
        if not fitting:
            raise InputError(
                "memory", expected="enough for a step of training", got=f"{self.bounds.memory / 2**30:.1f} GiB",
                fix="close other programs, or take another machine",
            )  # fmt: skip
        chosen = next((one for one in fitting if self._is_quick(one)), fitting[-1])
        return self._measured(self._in_larger_batches(self._widened(chosen)))

    def _widened(self, chosen: Sized) -> Sized:
        for width in WIDTHS:
            wider = self._sized(chosen.levels, width, chosen.batch) if width > chosen.filters[0] else None
            if wider is not None and self._is_quick(wider):
                return wider
        return chosen

    def _in_larger_batches(self, chosen: Sized) -> Sized:
        most = min(MOST_IMAGES, SHARE * self.bounds.voxels / math.prod(chosen.patch))
        while 2 * chosen.batch <= most:
            larger = self._sized(chosen.levels, chosen.filters[0], 2 * chosen.batch)
            if larger is None or not self._is_quick(larger):
                break
            chosen = larger
        return chosen

    def _sized(self, levels: Levels, width: int, batch: int) -> Sized | None:
        """None where it does not fit into memory."""
        most = MOST_FILTERS[len(levels.patch)]
        filters = [min(most, width * 2**level) for level in range(levels.count)]
        one = cost(self.network_of(levels, filters), self._shape(levels, 1))
        needed = Cost(one.operations * batch, one.kept_bytes * batch)
        if WAY_BACK * needed.kept_bytes > self.bounds.memory:
            return None
        return Sized(levels, filters, batch, needed, needed.operations / self.rate if self.rate else math.inf)

    def _is_quick(self, one: Sized) -> bool:
        return self.bounds.budget.seconds is None or one.step_seconds * WANTED_STEPS <= self.bounds.budget.for_steps

    def _measure_rate(self, levels: Levels, batch: int) -> None:
        small = self._sized(levels, WIDTHS[-1], batch)
        if self.bounds.measured and small is not None:
            self.rate = small.cost.operations / self._seconds(small)

    def _measured(self, one: Sized) -> Sized:
        if not self.bounds.measured:
            return one
        return Sized(one.levels, one.filters, one.batch, one.cost, self._seconds(one))

    def _seconds(self, one: Sized) -> float:
        return seconds(self.network_of(one.levels, one.filters), self._shape(one.levels, one.batch), self.bounds.device)

    def _shape(self, levels: Levels, batch: int) -> list[int]:
        return [batch, self.bounds.channels, *levels.patch]
