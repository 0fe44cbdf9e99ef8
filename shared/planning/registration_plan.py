"""The plan of a registration: at which spacing pairs are registered, and by how large a network."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from shared.engine.recipe import Part, component
from shared.images.layouts import VALIDATION
from shared.planning.budget import Budget, Schedule, schedule
from shared.planning.grid import Levels
from shared.planning.registration_data import RegistrationData
from shared.planning.sizing import Sized, Sizing, bounds_of

COARSER = (1.0, 1.25, 1.5, 2.0, 2.5)  # times the images' own spacing, from the finest on
MULTIPLE = 16  # that sizes divide by: four levels from half of the resolution down
COVERED = 95  # percent of the images that a patch holds whole
LEVELS = 4
STEPS = 50  # of an epoch
SMALL_MM = 100.0  # images up to which are crops, whose origins mean little
FORWARD = 1 / 3  # of a step
COUNTED, LEARNED = (f"shared.planning.registration_step.{name}" for name in ("Velocity", "LearnedPair"))


@dataclass(frozen=True)
class RegistrationPlan:
    """What is concluded from `data` for a training within `budget`. pixdim: in mm; of pictures in pixels."""

    data: RegistrationData
    budget: Budget
    pixdim: float
    sized: Sized
    schedule: Schedule

    @property
    def affine(self) -> str:
        """How pairs are aligned first."""
        if self.data.is_aligned:
            return "none"
        return "centre" if float(np.median(self.data.extents.max(axis=1))) <= SMALL_MM else "affine"


def plan_registration(data: RegistrationData, budget: Budget) -> RegistrationPlan:
    """Raises InputError where no network fits into memory."""
    own = round(float(np.median([np.prod(one.spacing) ** (1 / data.dims) for one in data.seen])), 2)
    kernels = [[3] * data.dims] * LEVELS
    spacing_of = {tuple(patch_size(data.extents, factor * own)): factor * own for factor in COARSER[::-1]}
    candidates = [Levels(list(patch), [], kernels) for patch in reversed(spacing_of)]
    voxels = float((data.extents / own).prod(axis=1).sum())
    bounds = bounds_of(budget, voxels=voxels, channels=2)
    sized = Sizing(
        lambda _, filters: network_of(data.dims, filters, LEARNED), bounds,
        counted=lambda _, filters: network_of(data.dims, filters, COUNTED),
    ).choose(candidates)  # fmt: skip
    validation = FORWARD * sized.step_seconds / sized.batch * len(data.parts[VALIDATION])
    timed = schedule(
        budget, steps=STEPS, step_seconds=sized.step_seconds,
        validation_seconds=0.0 if math.isinf(validation) else validation,
    )  # fmt: skip
    return RegistrationPlan(data, budget, round(spacing_of[tuple(sized.patch)], 3), sized, timed)


def patch_size(extents: np.ndarray, pixdim: float) -> list[int]:
    """Voxels that hold nearly all images of `extents` (N, axes) at `pixdim` whole, and divide by MULTIPLE."""
    sides = np.percentile(extents, COVERED, axis=0) / pixdim
    sizes = [MULTIPLE * math.ceil(round(float(side), 3) / MULTIPLE) for side in sides]
    return [max(size, 2 * MULTIPLE) for size in sizes]  # the deepest level needs more than one voxel


def network_of(dims: int, filters: Sequence[int], target: str = "shared.nets.voxelmorph.VoxelMorph") -> Part:
    return component(target, spatial_dims=dims, filters=list(filters))
