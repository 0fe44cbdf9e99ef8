"""How large a patch, a network and a batch may be: as much as memory holds, and steps enough fit into the budget."""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from shared.engine.recipe import Part
from shared.errors import InputError
from shared.planning.budget import WANTED_STEPS, Budget
from shared.planning.grid import Levels
from shared.planning.measuring import Cost, cost, free_memory, seconds

WIDTHS, NARROW = (32, 24, 16), (12, 8)  # filters of the first level: nnU-Net's and below, and for little time
MOST_FILTERS = {2: 512, 3: 320}  # of any level, by dimensions: nnU-Net's
FEWEST = {2: 4, 3: 2}  # images in a batch, by dimensions
MOST_IMAGES = 16  # in a batch
ROUNDS = 4  # of choosing and measuring
SHARE = 0.05  # of all voxels of the data set that a batch has at most: nnU-Net's
USABLE = 0.8  # of free memory
ON_GPU = 8 * 2**30  # bytes that nnU-Net plans for, where no GPU is here to be asked
WAY_BACK = 2.0  # times what is kept for it, gradients and workspace included
NetworkOf = Callable[[Levels, Sequence[int]], Part]


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

    @property
    def voxels(self) -> int:
        """In a batch."""
        return self.batch * math.prod(self.patch)


@dataclass(frozen=True)
class Bounds:
    """What a network is sized by. memory: bytes. voxels: of all images together. channels: of an image.

    loss_seconds: of a step, for each voxel in its batch.
    """

    budget: Budget
    device: torch.device
    memory: float
    voxels: float
    channels: int
    measured: bool = True
    loss_seconds: float = 0.0


def bounds_of(budget: Budget, *, voxels: float, channels: int, cached: float = 0.0) -> Bounds:
    """On the GPU, or the processor where there is none. cached: bytes of the processor's memory for training cases."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if budget.seconds is None and device.type == "cpu":
        return Bounds(budget, device, ON_GPU, voxels, channels, measured=False)
    memory = USABLE * free_memory(device) - (cached if device.type == "cpu" else 0)
    return Bounds(budget, device, memory, voxels, channels)


class Sizing:
    """Finds the largest patch, then the widest network, then the largest batch of which the budget has WANTED_STEPS.

    network_of: the network_def of levels and filters, without references; counted: of what is counted instead, where
    that is not the network that steps are measured with. widths: filters of the first level, the most first; a patch
    is chosen for the narrowest of them but those in NARROW, which the smallest patch alone may get. What a step takes
    is its operations by the rate that one small step was measured at; the step that is chosen is measured itself.
    """

    def __init__(
        self,
        network_of: NetworkOf,
        bounds: Bounds,
        counted: NetworkOf | None = None,
        widths: Sequence[int] = (*WIDTHS, *NARROW),
    ) -> None:
        self.network_of = network_of
        self.counted = counted or network_of
        self.bounds = bounds
        self.widths = widths
        self.rate = 0.0  # operations a second, from the first measurement on
        self.costs: dict[tuple[int, ...], Cost] = {}  # of one image, by its patch and the first filters

    @property
    def usual(self) -> int:
        """The filters that a patch is chosen for."""
        return min((width for width in self.widths if width not in NARROW), default=self.widths[0])

    def choose(self, candidates: Sequence[Levels]) -> Sized:
        """Of `candidates`, the largest patch first. Raises InputError where none fits into memory.

        What is chosen is measured, and chosen again by the rate of that, until it stays or ROUNDS are over.
        """
        self._measure_rate(candidates[-1])
        measured: dict[Cost, Sized] = {}
        for _ in range(ROUNDS):
            chosen = self._chosen(candidates)
            if chosen.cost in measured:
                break
            measured[chosen.cost] = one = self._measured(chosen)
            self.rate = one.cost.operations / one.step_seconds
        quick = [one for one in measured.values() if self._is_quick(one)]
        if quick:
            return max(quick, key=lambda one: one.cost.operations)
        return min(measured.values(), key=lambda one: one.step_seconds)

    def _chosen(self, candidates: Sequence[Levels]) -> Sized:
        tried = [(levels, self.usual) for levels in candidates]
        tried += [(candidates[-1], width) for width in self.widths if width < self.usual]
        # Each is smaller than the one before: halving finds the first, counting few.
        first = bisect_left(range(len(tried)), True, key=lambda place: self._is_quick(self._sized(*tried[place])))
        quick = self._sized(*tried[min(first, len(tried) - 1)])
        if quick is None:
            raise InputError(
                "memory", expected="enough for a step of training", got=f"{self.bounds.memory / 2**30:.1f} GiB",
                fix="close other programs, or take another machine",
            )  # fmt: skip
        return self._in_larger_batches(self._widened(quick))

    def _widened(self, chosen: Sized) -> Sized:
        for width in self.widths:
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

    def _sized(self, levels: Levels, width: int, batch: int = 0) -> Sized | None:
        """None where it does not fit into memory. batch: 0 for the smallest."""
        batch = batch or FEWEST[len(levels.patch)]
        most = MOST_FILTERS[len(levels.patch)]
        filters = [min(most, width * 2**level) for level in range(levels.count)]
        key = (*levels.patch, width)
        if key not in self.costs:
            self.costs[key] = cost(self.counted(levels, filters), self._shape(levels, 1))
        one = self.costs[key]
        needed = Cost(one.operations * batch, one.kept_bytes * batch)
        if WAY_BACK * needed.kept_bytes > self.bounds.memory:
            return None
        return Sized(levels, filters, batch, needed, needed.operations / self.rate if self.rate else math.inf)

    def _is_quick(self, one: Sized | None) -> bool:
        if one is None:
            return False
        if self.bounds.budget.seconds is None:
            return True
        seconds = one.step_seconds + one.voxels * self.bounds.loss_seconds
        return seconds * WANTED_STEPS <= self.bounds.budget.for_steps

    def _measure_rate(self, levels: Levels) -> None:
        small = self._sized(levels, self.usual)
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
