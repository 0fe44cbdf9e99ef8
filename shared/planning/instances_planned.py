"""What a plan of an instance segmentation says: the arguments of its recipe, its metadata, and its table."""

import numpy as np

from shared.engine.recipe import Part, component
from shared.images.layouts import TRAINING, VALIDATION
from shared.planning.budget import WANTED_STEPS, duration
from shared.planning.instances_data import InstancesData
from shared.planning.instances_plan import BATCH, FINEST, OBJECTS_ALONG, InstancesPlan, network_of
from shared.planning.planned import Planned, image_format
from shared.planning.starting import width_by
from shared.planning.table import Finding, ranged

PERCENTILES = (0.5, 99.8)
ZOOM = 1.5  # by which patches are enlarged and reduced
MASK_RCNN = "He, K. et al. Mask R-CNN. ICCV (2017). https://arxiv.org/abs/1703.06870"


def as_planned(plan: InstancesPlan, title: str) -> Planned:
    """The plan as a bundle called `title` is written from it."""
    data = plan.data
    return Planned(
        task="instances",
        recipe="shared.tasks.instances.recipe.Instances",
        lists={"augmentation": _augmentation(data.channels)},
        arguments=_arguments(plan, title),
        findings=[*_found(data), *_concluded(plan)],
        described=_described(plan),
        samples=[case for case in data.parts[VALIDATION][:2] if "#" not in case["label"]],
        step_seconds=plan.step_seconds,
        start=plan.start,
    )


def _augmentation(channels: int) -> list[Part]:
    stained = component(
        "shared.images.colours.RandStainJitterd", keys="image", prob=0.5, scale=0.3, shift=0.05, black=-1
    )
    return [
        component("EnsureTyped", keys=["image", "label"], track_meta=False),
        component(
            "shared.tasks.instances.patches.RandCropd", image_key="image", ids_key="label", size="@patch_size",
            zoom="@zoom", widths="@widths",
        ),
        *([stained] if channels == 3 else []),
        component("shared.tasks.instances.patches.RandStaind", keys="image"),
        component("RandGaussianSmoothd", keys="image", prob=0.1, sigma_x=[0.3, 1.2], sigma_y=[0.3, 1.2]),
        component(
            "RandSimulateLowResolutiond", keys="image", prob=0.15, zoom_range=[0.4, 0.9], downsample_mode="area",
            upsample_mode="bilinear",
        ),
    ]  # fmt: skip


def _arguments(plan: InstancesPlan, title: str) -> Part:
    data, widths, timed = plan.data, plan.data.typical_widths, plan.schedule
    few, many = np.percentile(widths, [5, 95]).tolist()
    smallest = float(np.percentile(np.concatenate([one.areas for one in data.seen]), 1))
    tile = plan.patch * 3 // 2
    overlap = min(tile // 2, max(64, plan.largest * 5 // 4))  # a large object is whole in one of two tiles
    return {
        "descriptions": {
            "inference": f"{title}: find every {data.name}.",
            "evaluate": f"{title}: score what was found against reference labels.",
            "train": f"{title}: train a Mask R-CNN to find every {data.name}.",
        },
        "class_names": [data.name],
        "channels": data.channels,
        "network": network_of(plan.filters, plan.anchor_sizes),
        "percentiles": PERCENTILES,
        "known": {
            "known_px": max(1, round(float(np.median(widths)))),
            "without_change": [round(few / ZOOM), round(many * ZOOM)],
        },
        "tiling": {"roi_size": [tile, tile], "overlap": overlap, "threshold": 0.3},
        "fusing": {"scales": [1], "smallest": max(4, round(smallest / 2))},
        "training_options": {
            "max_epochs": timed.epochs,
            "val_interval": timed.val_interval,
            "batch_size": BATCH,
            "learning_rate": 0.001,
            "weight_decay": 0.02,
            "ema_momentum": 0.003,
            "crops_per_image": 1,
            "instances_per_crop": None,
            "repeated": {},
            "patch_size": [plan.patch, plan.patch],
            "zoom": [round(1 / ZOOM, 2), ZOOM],
            "widths": [max(4, round(few / ZOOM)), round(many * ZOOM)],
            "positives": 40,
            "negatives": 56,
        },
    }


def _described(plan: InstancesPlan) -> Part:
    data = plan.data
    colours = ["red", "green", "blue"] if data.channels == 3 else [str(n) for n in range(1, data.channels + 1)]
    fields = [
        "boxes (400, 4) float32: first and last corner in pixels, row before column; the surest first, then zeros",
        "scores (400) float32: from 0 to 1",
        "labels (400) int64: classes, from 0",
        "masks (400, 28, 28) float32: the likelihood of each part of the box to be of the instance",
        "number () int64: how many of the 400 places hold an instance",
    ]
    inputs = image_format(channels=_placed(colours), size=[plan.patch] * 2, modality="n/a", value_range=[-1, 1])
    outputs = image_format(channels=_placed(fields), size=[400], type="tuples", format="instances")
    return {
        "task": f"Instance segmentation: every {data.name} in pictures",
        "description": f"A Mask R-CNN, planned from the data, that finds and outlines every {data.name}.",
        "data_type": "png",
        "image_classes": f"pictures, {data.channels} channel{'s' * (data.channels > 1)}",
        "label_classes": f"0 background, 1 … N one id a {data.name}",
        "pred_classes": "boxes, scores, labels, masks in the boxes, and their count",
        "references": [MASK_RCNN],
        "network_data_format": {"inputs": {"image": inputs}, "outputs": {"pred": outputs}},
    }


def _placed(names: list[str]) -> dict[str, str]:
    return {str(place): name for place, name in enumerate(names)}


def _found(data: InstancesData) -> list[Finding]:
    counts = [len(one.areas) for one in data.seen]
    sizes = " × ".join(ranged(axis) for axis in data.sizes.T)
    return [
        Finding(
            f"{len(data.seen)} pictures of {sizes}, {sum(count == 0 for count in counts)} of them without instances",
            f"{len(data.parts[TRAINING])} for training, {len(data.parts[VALIDATION])} for validation",
            "lists of the data set decide, else 15 % are drawn",
        ),
        Finding(
            f"{sum(counts)} instances, {ranged(counts)} a picture", f"one class, {data.name}",
            "an instance segmentation of this zoo has one",
        ),
        Finding(
            f"channels {ranged([one.looks.channels for one in data.seen])}", f"{data.channels} for the network",
            "alpha is left out; one channel where all pictures are gray by their values",
        ),
    ]  # fmt: skip


def _concluded(plan: InstancesPlan) -> list[Finding]:
    data, timed = plan.data, plan.schedule
    few, median, many = np.percentile(data.longer_sides, [5, 50, 95])
    anchors = ", ".join(str(size) for sizes in plan.anchor_sizes for size in sizes)
    widths = data.typical_widths
    return [
        Finding(
            f"longer sides of instances: median {median:.3g}, from {few:.3g} to {many:.3g} pixels but for a tenth",
            f"anchors {anchors}; patches of {plan.patch}",
            f"anchors over these sizes, from {FINEST} on; {OBJECTS_ALONG} large ones beside each other in a patch",
        ),
        Finding(
            f"typical widths of pictures: {ranged([round(float(width), 1) for width in widths])}",
            f"patches are zoomed by {1 / ZOOM:.2f} to {ZOOM:g}", "magnifications a little beyond those seen",
        ),
        Finding(
            f"budget {plan.budget.text}; a step takes {duration(plan.step_seconds)}",
            f"filters {', '.join(map(str, plan.filters))}; batches of {BATCH}",
            width_by(plan.start) or f"the widest network of which the budget has {WANTED_STEPS:,} steps",
        ),
        Finding(
            f"{len(data.parts[TRAINING])} patches an epoch",
            f"{timed.epochs} epochs of {timed.steps} steps, validated every {timed.val_interval}",
            "what the budget has time for",
        ),
    ]  # fmt: skip
