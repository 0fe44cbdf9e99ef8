"""The plan of a segmentation, by nnU-Net's rules where it has one that fits.

Source: Isensee et al., nnU-Net, Nature Methods 18 (2021) 203-211, methods and supplementary note 2.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from shared.engine.recipe import Part, component
from shared.images.layouts import TRAINING, VALIDATION
from shared.planning.budget import IN_VALIDATION, WANTED_STEPS, Budget, Schedule, duration, schedule
from shared.planning.grid import Levels, levels, median_size, patches, target_spacing
from shared.planning.intensities import scaling
from shared.planning.measuring import free_memory
from shared.planning.planned import Planned, image_format
from shared.planning.segmentation_augmenting import Views, augmentation
from shared.planning.segmentation_data import SegmentationData
from shared.planning.segmentation_found import findings_of_data
from shared.planning.sizing import Bounds, Sized, Sizing
from shared.planning.table import Finding, listed
from shared.tasks.segmentation.synthetic_recipe import MEAN_DICE

SMALLEST = {2: 64, 3: 32}  # voxels along a patch's longest axis, by dimensions
LARGEST = {2: 512, 3: 192}  # of the same
MOST_LEVELS = {2: 7, 3: 6}
USABLE = 0.8  # of free memory
ON_GPU = 8 * 2**30  # bytes that nnU-Net plans for, where no GPU is here to be asked
SHORTEST_EPOCH = 50  # steps
BYTES_CACHED = 8  # of a voxel of a training case: image and label in float32
INFERENCE_SHARE = 1 / 3  # of a training step that the network alone takes


@dataclass(frozen=True)
class SegmentationPlan:
    """What is concluded from `data` for a training within `budget`."""

    data: SegmentationData
    budget: Budget
    pixdim: list[float]
    size: list[int]
    sized: Sized
    crops: int
    schedule: Schedule
    memory: float
    device: torch.device

    def views(self) -> Views:
        return Views(self.sized.patch, self.size, self.pixdim, self.data.classes.names)

    @property
    def tile(self) -> list[int]:
        """What inference runs at once: the largest image, where that is not much more than a patch."""
        sizes = (self.data.sizes * self.data.spacings / self.pixdim).max(axis=0).round().astype(int).tolist()
        whole = all(side <= 1.5 * patch for side, patch in zip(sizes, self.sized.patch))
        return [max(side, patch) for side, patch in zip(sizes, self.sized.patch)] if whole else self.sized.patch


def plan_segmentation(data: SegmentationData, budget: Budget) -> SegmentationPlan:
    """Raises InputError where no network fits into memory."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    absent_gpu = budget.seconds is None and device.type == "cpu"
    pixdim = target_spacing(data.spacings, data.sizes) if data.dims == 3 else [1.0, 1.0]
    size = median_size(data.spacings, data.sizes, pixdim)
    cached = BYTES_CACHED * math.prod(size) * len(data.parts[TRAINING]) * (device.type == "cpu")
    memory = ON_GPU if absent_gpu else USABLE * free_memory(device) - cached
    bounds = Bounds(budget, device, memory, math.prod(size) * len(data.seen), data.channels, measured=not absent_gpu)
    largest = [min(side, LARGEST[data.dims]) for side in size]
    candidates = [
        levels(patch, pixdim, most=MOST_LEVELS[data.dims])
        for patch in patches(largest, pixdim, smallest=SMALLEST[data.dims])
    ]
    sized = Sizing(lambda down, filters: whole_network(data, down, filters), bounds).choose(candidates)
    cases = len(data.parts[TRAINING])
    crops = max(1, math.ceil(SHORTEST_EPOCH * sized.batch / cases))
    timed = schedule(
        budget, steps=math.ceil(cases * crops / sized.batch), step_seconds=sized.step_seconds,
        validation_seconds=len(data.parts[VALIDATION]) * _case_seconds(sized, size),
    )  # fmt: skip
    return SegmentationPlan(data, budget, pixdim, size, sized, crops, timed, memory, device)


def network_of(dims: int, down: Levels, filters: Sequence[int]) -> Part:
    """The network_def but for its channels."""
    return component(
        "shared.nets.axis_unet.AxisUNet", spatial_dims=dims, filters=list(filters), strides=down.strides,
        kernels=down.kernels,
    )  # fmt: skip


def whole_network(data: SegmentationData, down: Levels, filters: Sequence[int]) -> Part:
    channels = {"in_channels": data.channels, "out_channels": len(data.classes.names)}
    return network_of(data.dims, down, filters) | channels


def _case_seconds(sized: Sized, size: Sequence[int]) -> float:
    """A median image in tiles that overlap by half, by what a step takes; 0 where that is not known."""
    tiles = math.prod(max(1, 2 * math.ceil(side / patch) - 1) for side, patch in zip(size, sized.patch))
    return 0.0 if math.isinf(sized.step_seconds) else INFERENCE_SHARE * tiles * sized.step_seconds / sized.batch


def as_planned(plan: SegmentationPlan, title: str) -> Planned:
    """The plan as a bundle called `title` is written from it."""
    data, views = plan.data, plan.views()
    scaled, intensities = scaling(data.seen, data.modality)
    names = data.classes.names
    structures = ", ".join(names[1:6]) + (" …" if len(names) > 6 else "")
    return Planned(
        task="segmentation",
        recipe="shared.tasks.segmentation.recipe.Segmentation",
        lists={"class_names": names, "label_values": data.classes.other_values, "augmentation": augmentation(views)},
        arguments=_arguments(plan, title, structures) | ({"scaling": scaled} if scaled else {}),
        meanings={"flip_axes": '`"[0]"` averages over flips of the first axis: twice the time'},
        findings=[*findings_of_data(data, plan.pixdim, plan.size), intensities, *_findings(plan)],
        described=_described(plan, structures),
        samples=data.parts[VALIDATION][:2] or data.parts["all"][:2],
        step_seconds=plan.sized.step_seconds,
    )


def _arguments(plan: SegmentationPlan, title: str, structures: str) -> Part:
    data, sized = plan.data, plan.sized
    pixdim = {"pixdim": plan.pixdim} if data.dims == 3 else {}
    margin = {} if plan.views().is_whole else {"margin_size": "$[size * 5 // 4 for size in @patch_size]"}
    split = {"patient": data.patient} if data.patient else {}
    return {
        "descriptions": {
            "inference": f"{title}: find {structures}.",
            "evaluate": f"{title}: score segmentations against reference labels.",
            "train": f"{title}: train a U-Net to find {structures}.",
        },
        "channels": data.channels,
        "network": network_of(data.dims, sized.levels, sized.filters),
        "grid": {"roi_size": plan.tile} | pixdim,
        "tiling": {"overlap": 0.5 if data.dims == 3 else 0.25, "flip_axes": []},
        "flips": {"axes": "@flip_axes"},
        "training_options": {
            "max_epochs": plan.schedule.epochs,
            "val_interval": plan.schedule.val_interval,
            "batch_size": sized.batch,
            "learning_rate": 0.002,
            "weight_decay": 0.01,
            "ema_momentum": 0.003,
            "crops_per_image": plan.crops,
            "patch_size": sized.patch,
        },
        "several_crops": True,
        "folds": True,
        "loss": component("DiceCELoss", softmax=True, to_onehot_y=True, batch=True),
        "key_metric": {"mean_dice": MEAN_DICE},
        "augmentation": margin,
    } | split


def _described(plan: SegmentationPlan, structures: str) -> Part:
    data, size = plan.data, plan.sized.patch
    kinds = ["red", "green", "blue"] if data.dims == 2 and data.channels == 3 else range(1, data.channels + 1)
    inputs = {str(place): f"{data.modality or 'intensity'}, channel {kind}" for place, kind in enumerate(kinds)}
    classes = {str(place): name for place, name in enumerate(data.classes.names)}
    return {
        "task": f"Segmentation of {structures} in {'volumes' if data.dims == 3 else 'pictures'}",
        "description": f"A U-Net in {data.dims}D, planned from the data, that finds {structures}.",
        "data_type": "nibabel" if data.dims == 3 else "png",
        "image_classes": f"{data.modality or 'images'}, {data.channels} channel{'s' * (data.channels > 1)}",
        "label_classes": ", ".join(f"{place} {name}" for place, name in classes.items()),
        "pred_classes": f"{len(classes)} channels of logits, one a class",
        "network_data_format": {
            "inputs": {"image": image_format(channels=inputs, size=size, modality=data.modality or "n/a")},
            "outputs": {"pred": image_format(channels=classes, size=size, format="segmentation")},
        },
    }


def _findings(plan: SegmentationPlan) -> list[Finding]:
    sized, timed = plan.sized, plan.schedule
    views, step = plan.views(), duration(sized.step_seconds)
    down = listed([math.prod(axis) for axis in zip(*sized.levels.strides)])
    rows = [
        Finding(
            f"{plan.device.type}, {plan.memory / 2**30:.1f} GiB of memory; budget {plan.budget.text}",
            f"patches of {listed(sized.patch)}, {sized.levels.count} levels, down to 1/{down}",
            f"the largest cube in mm with {WANTED_STEPS:,} steps in the budget; an axis is halved while 4 are left",
        ),
        Finding(
            f"a step is {sized.cost.operations / 1e9:.4g} GFLOP, takes {step}, keeps"
            f" {sized.cost.kept_bytes / 2**20:.4g} MiB",
            f"filters {', '.join(map(str, sized.filters))}; batches of {sized.batch}",
            "then the widest network, then the largest batch, of which there are as many steps",
        ),
        Finding(
            f"{len(plan.data.parts[TRAINING])} training cases, {plan.crops} patches of each an epoch",
            f"{timed.epochs} epochs of {timed.steps} steps, validated every {timed.val_interval}",
            f"what the budget has time for; validation takes {IN_VALIDATION:.0%} of it at most",
        ),
        Finding(
            "a patch covers most of an image" if views.is_whole else "images are larger than a patch",
            "patches anywhere" if views.is_whole else "a third of the patches are centred on a class, each as often",
            "so that rare classes are seen (nnU-Net); Dice by class and cross-entropy together are the loss",
        ),
        Finding(
            f"names of classes: {', '.join(views.classes[1:5])}{' …' if len(views.classes) > 5 else ''}",
            f"images are mirrored along axes {views.flipped_axes() or 'none'}",
            "an axis that tells classes apart by their names is not mirrored",
        ),
    ]
    return rows
