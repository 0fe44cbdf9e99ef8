"""What a plan of a segmentation says: the arguments of its recipe, its metadata, and its table."""

import math

from shared.engine.recipe import Part
from shared.images.layouts import TRAINING, VALIDATION
from shared.planning.budget import IN_VALIDATION, WANTED_STEPS, duration
from shared.planning.intensities import scaling
from shared.planning.planned import Planned, image_format
from shared.planning.segmentation_augmenting import MARGIN, augmentation
from shared.planning.segmentation_found import findings_of_data
from shared.planning.segmentation_plan import FINE, LOSS, SHOWN, SegmentationPlan, network_of
from shared.planning.table import Finding, listed
from shared.tasks.segmentation.synthetic_recipe import MEAN_DICE

NNUNET = (
    "Isensee, F. et al. nnU-Net: a self-configuring method for deep learning-based biomedical image segmentation. "
    "Nature Methods 18 (2021) 203-211. https://doi.org/10.1038/s41592-020-01008-z"
)


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
        meanings={
            "flip_axes": '`"[0]"` averages over flips of the first axis: twice the time',
            **({"longest_side": "pixels that the longer side of an image is resized to"} if plan.longest_side else {}),
        },
        findings=[*findings_of_data(data, plan.pixdim, plan.size), intensities, *_resized(plan), *_findings(plan)],
        described=_described(plan, structures),
        samples=data.parts[VALIDATION][:2] or data.parts["all"][:2],
        step_seconds=plan.sized.step_seconds,
    )


def _arguments(plan: SegmentationPlan, title: str, structures: str) -> Part:
    data, sized = plan.data, plan.sized
    grid: Part = {"pixdim": plan.pixdim} if data.dims == 3 else {}
    grid |= {"longest_side": plan.longest_side} if plan.longest_side else {}
    margin = {} if plan.views().is_whole else {"margin_size": MARGIN}
    split = {"patient": data.patient} if data.patient else {}
    return {
        "descriptions": {
            "inference": f"{title}: find {structures}.",
            "evaluate": f"{title}: score segmentations against reference labels.",
            "train": f"{title}: train a {_kind(plan)} to find {structures}.",
        },
        "channels": data.channels,
        "network": network_of(data.dims, sized.levels, sized.filters, plan.network),
        "grid": {"roi_size": plan.tile} | grid,
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
        "loss": LOSS,
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
        "description": f"A {_kind(plan)} in {data.dims}D, planned from the data, that finds {structures}.",
        "data_type": "nibabel" if data.dims == 3 else "png",
        "image_classes": f"{data.modality or 'images'}, {data.channels} channel{'s' * (data.channels > 1)}",
        "label_classes": ", ".join(f"{place} {name}" for place, name in classes.items()),
        "pred_classes": f"{len(classes)} channels of logits, one a class",
        "references": [NNUNET],
        "network_data_format": {
            "inputs": {"image": image_format(channels=inputs, size=size, modality=data.modality or "n/a")},
            "outputs": {"pred": image_format(channels=classes, size=size, format="segmentation")},
        },
    }


def _kind(plan: SegmentationPlan) -> str:
    return f"network ({plan.network})" if plan.network else "U-Net"


def _resized(plan: SegmentationPlan) -> list[Finding]:
    if plan.data.dims == 3:
        return []
    wide, side = plan.data.thin, max(plan.size)
    return [
        Finding(
            f"the thinnest class is {wide:.1%} of a picture's longer side, or more but for a tenth",
            f"pictures are resized to {side} pixels" if plan.longest_side else "pictures stay as they are",
            f"a patch is to show all of a picture, where the thinnest class keeps {FINE} pixels",
        )
    ]


def _findings(plan: SegmentationPlan) -> list[Finding]:
    sized, timed = plan.sized, plan.schedule
    views, step = plan.views(), duration(sized.step_seconds)
    besides = f" and {duration(plan.besides)} for its patches and loss" if plan.besides else ""
    down = listed([math.prod(axis) for axis in zip(*sized.levels.strides)])
    cells = f", over cells of {listed(sized.levels.cell)} voxels" if sized.levels.cell else ""
    rows = [
        Finding(
            f"{plan.bounds.device.type}, {plan.bounds.memory / 2**30:.1f} GiB of memory; budget {plan.budget.text}",
            f"patches of {listed(sized.patch)}, {sized.levels.count} levels, down to 1/{down}{cells}",
            f"the largest cube in mm with {WANTED_STEPS:,} steps in the budget; an axis is halved while 4 are left;"
            f" cells where a patch would show less than {SHOWN:.0%} of a volume",
        ),
        Finding(
            f"a step is {sized.cost.operations / 1e9:.4g} GFLOP, takes {step}{besides}, keeps"
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
            "patches anywhere" if views.is_whole else f"{views.foreground:.0%} centred on a class, each as often",
            "so that rare classes are seen (nnU-Net: 33 %; twice that where a patch shows little); Dice by class and"
            " cross-entropy together are the loss",
        ),
        Finding(
            f"classes {', '.join(views.classes[1:5])}{' …' if len(views.classes) > 5 else ''}; counterparts along axes"
            f" {views.sided or 'none'}",
            f"images are mirrored along axes {views.flipped_axes() or 'none'}",
            "not along an axis that tells classes apart, by their names or since mirrored ones lie where others do",
        ),
    ]
    return rows
