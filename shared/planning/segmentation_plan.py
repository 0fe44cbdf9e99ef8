"""The plan of a segmentation, by nnU-Net's rules where it has one that fits.

Source: Isensee et al., nnU-Net, Nature Methods 18 (2021) 203-211, methods and supplementary note 2.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from monai.bundle import ConfigParser

from shared.engine.recipe import Part, component
from shared.family import network_called
from shared.images.layouts import TRAINING, VALIDATION
from shared.planning.budget import Budget, Schedule, schedule
from shared.planning.grid import Levels, candidates, cell_of, median_size, target_spacing
from shared.planning.measuring import least_seconds
from shared.planning.reducing import coarser
from shared.planning.segmentation_augmenting import Views, sampling_seconds
from shared.planning.segmentation_data import SegmentationData
from shared.planning.sizing import FEWEST, Bounds, Sized, Sizing, bounds_of

SMALLEST = {2: 64, 3: 32}  # voxels along a patch's longest axis, by dimensions
LARGEST = {2: 512, 3: 192}  # of the same
MOST_LEVELS = {2: 7, 3: 6}
SHORTEST_EPOCH = 50  # steps
BYTES_CACHED = 8  # of a voxel of a training case: image and label in float32
FINE = 20  # pixels that the thinnest class keeps where pictures are reduced, so that half a pixel matters little
SHOWN = 0.05  # of the median volume that a patch shows, below which the network works on cells
REDUCED = 0.8  # of a picture's longer side, from which on it stays as it is
LOSS = component("DiceCELoss", softmax=True, to_onehot_y=True, batch=True)
INFERENCE_SHARE = 1 / 3  # of a training step that the network alone takes


@dataclass(frozen=True)
class SegmentationPlan:
    """What is concluded from `data` for a training within `budget`.

    pixdim: in mm; 1 of pictures. longest_side: that pictures are resized to; 0 where they stay as they are, as volumes
    do. size: of the median image as the network sees it. besides: seconds of a step for its patches and its loss.
    network: see `plan_segmentation`.
    """

    data: SegmentationData
    budget: Budget
    pixdim: list[float]
    longest_side: int
    size: list[int]
    sized: Sized
    besides: float
    crops: int
    schedule: Schedule
    bounds: Bounds
    network: str = ""

    def views(self) -> Views:
        return Views(self.sized.patch, self.size, self.pixdim, self.data.classes.names, self.data.sided)

    @property
    def tile(self) -> list[int]:
        """What inference runs at once: the largest image, where that is not much more than a patch."""
        resampled = self.data.sizes * self.data.spacings / self.pixdim
        if self.longest_side:
            resampled *= self.longest_side / resampled.max(axis=1, keepdims=True)
        sizes = resampled.max(axis=0).round().astype(int).tolist()
        whole = all(side <= 1.5 * patch for side, patch in zip(sizes, self.sized.patch))
        return [max(side, patch) for side, patch in zip(sizes, self.sized.patch)] if whole else self.sized.patch


def plan_segmentation(data: SegmentationData, budget: Budget, network: str = "") -> SegmentationPlan:
    """Plan with the network of `shared.family` called `network`, or with a U-Net whose levels halve some axes only.

    Raises InputError where none fits into memory.
    """
    pixdim = target_spacing(data.spacings, data.sizes) if data.dims == 3 else [1.0, 1.0]
    bounds, sized = _sized(data, budget, pixdim, network)
    if data.dims == 3:
        labels = [case["label"] for case in data.parts["all"]]
        coarse = coarser(pixdim, labels, math.prod(sized.patch), sizes=data.sizes, spacings=data.spacings)
        if coarse != pixdim:
            pixdim = coarse
            bounds, sized = _sized(data, budget, pixdim, network)
        shown = math.prod(sized.patch) / math.prod(median_size(data.spacings, data.sizes, pixdim))
        if shown < SHOWN and not network:
            bounds, sized = _sized(data, budget, pixdim, cell=cell_of(pixdim))
    size = median_size(data.spacings, data.sizes, pixdim)
    side = longest_side(data.thin, size, sized.patch) if data.dims == 2 else 0
    size = [max(1, round(axis * side / max(size))) for axis in size] if side else size
    cases = len(data.parts[TRAINING])
    crops = max(1, math.ceil(SHORTEST_EPOCH * sized.batch / cases))
    views = Views(sized.patch, size, pixdim, data.classes.names, data.sided)
    sampling = sampling_seconds(views, data.channels) if budget.seconds else 0.0
    besides = sized.batch * sampling + sized.voxels * bounds.loss_seconds
    timed = schedule(
        budget, steps=math.ceil(cases * crops / sized.batch), step_seconds=sized.step_seconds + besides,
        validation_seconds=len(data.parts[VALIDATION]) * _case_seconds(sized, size),
    )  # fmt: skip
    return SegmentationPlan(data, budget, pixdim, side, size, sized, besides, crops, timed, bounds, network)


def _sized(
    data: SegmentationData, budget: Budget, pixdim: Sequence[float], network: str = "", cell: Sequence[int] = ()
) -> tuple[Bounds, Sized]:
    """What is affordable of images with that spacing, and the patch and network within it."""
    size = median_size(data.spacings, data.sizes, pixdim)
    cached = BYTES_CACHED * math.prod(size) * len(data.parts[TRAINING])
    bounds = bounds_of(budget, voxels=math.prod(size) * len(data.seen), channels=data.channels, cached=cached)
    if budget.seconds:
        bounds = replace(bounds, loss_seconds=loss_seconds(len(data.classes.names), data.dims, bounds.device))
    largest = [min(side, LARGEST[data.dims]) for side in size]
    tried = candidates(largest, pixdim, smallest=SMALLEST[data.dims], most=MOST_LEVELS[data.dims], cell=cell)
    return bounds, Sizing(lambda down, filters: whole_network(data, down, filters, network), bounds).choose(tried)


@lru_cache
def loss_seconds(classes: int, dims: int, device: torch.device) -> float:
    """What LOSS takes there and back, for each voxel of a batch."""
    size = [2 * SMALLEST[dims]] * dims
    logits = torch.rand(FEWEST[dims], classes, *size, device=device, requires_grad=True)
    label = torch.randint(classes, (FEWEST[dims], 1, *size), device=device)
    loss = ConfigParser({"loss": LOSS}).get_parsed_content("loss")
    return least_seconds(lambda: loss(logits, label), torch.optim.SGD([logits]), device) / label.numel()


def longest_side(thin: float, size: Sequence[int], patch: Sequence[int]) -> int:
    """What the longer side of pictures of `size` is resized to, so that a patch shows all; 0 where they stay.

    thin: the width of the thinnest class by that side, which keeps FINE pixels.
    """
    whole = min(round(max(size) * min(have / side for have, side in zip(patch, size))), max(size))
    kept = max(whole, math.ceil(FINE / thin))
    return kept if kept <= REDUCED * max(size) else 0


def network_of(dims: int, down: Levels, filters: Sequence[int], network: str = "") -> Part:
    """The network_def but for its channels; network: see `plan_segmentation`."""
    planned = component(
        "shared.nets.axis_unet.AxisUNet", spatial_dims=dims, filters=list(filters), strides=down.strides,
        kernels=down.kernels, **({"cell": list(down.cell)} if down.cell else {}),
    )  # fmt: skip
    return network_called(network, planned) if network else planned


def whole_network(data: SegmentationData, down: Levels, filters: Sequence[int], network: str) -> Part:
    channels = {"in_channels": data.channels, "out_channels": len(data.classes.names)}
    return network_of(data.dims, down, filters, network) | channels


def _case_seconds(sized: Sized, size: Sequence[int]) -> float:
    """A median image in tiles that overlap by half, by what a step takes; 0 where that is not known."""
    tiles = math.prod(max(1, 2 * math.ceil(side / patch) - 1) for side, patch in zip(size, sized.patch))
    return 0.0 if math.isinf(sized.step_seconds) else INFERENCE_SHARE * tiles * sized.step_seconds / sized.batch
