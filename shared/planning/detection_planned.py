"""What a plan of a detection says: the arguments of its recipe, its metadata, and its table."""

import numpy as np

from shared.engine.recipe import Part, component
from shared.images.layouts import TRAINING, VALIDATION
from shared.planning.budget import WANTED_STEPS, duration
from shared.planning.detection_data import DetectionData
from shared.planning.detection_plan import LARGEST, NARROW_SHARE, WIDE, DetectionPlan, network_of
from shared.planning.planned import Planned, image_format
from shared.planning.starting import width_by
from shared.planning.table import Finding, ranged

LARGER = 2.5  # times the usual side, from which a picture is seen in tiles: 1600 of 640 in blood_cell_yolo_detection
LAST_EPOCHS = 7  # one in so many is without mosaics, at the end
TOOD = (
    "Feng, C. et al. TOOD: Task-aligned One-stage Object Detection. ICCV 2021. "
    "https://doi.org/10.1109/ICCV48922.2021.00349"
)


def as_planned(plan: DetectionPlan, title: str) -> Planned:
    """The plan as a bundle called `title` is written from it."""
    data, names = plan.data, list(plan.data.classes)
    found = ", ".join(names[:6]) + (" …" if len(names) > 6 else "")
    return Planned(
        task="detection",
        recipe="shared.tasks.detection.recipe.Detection",
        lists={"class_names": names, "augmentation": _augmentation(data.channels)},
        arguments=_arguments(plan, title, found),
        findings=[*_found(data), *_concluded(plan)],
        described=_described(plan, found),
        samples=[{"case": case["case"], "image": case["image"]} for case in data.parts[VALIDATION][:2]],
        step_seconds=plan.sized.step_seconds,
        start=plan.start,
    )


def _augmentation(channels: int) -> list[Part]:
    colours = [
        component("shared.images.colours.RandWhiteBalanced", keys="image", prob=0.5, cast=1.2),
        component("shared.images.colours.RandSaturationd", keys="image", prob=0.5, saturation=0.7, brightness=0.3),
    ]
    return [
        *(colours if channels == 3 else []),
        component("RandAdjustContrastd", keys="image", prob=0.3, gamma=[0.6, 1.6]),
        component(
            "RandSimulateLowResolutiond", keys="image", prob=0.2, zoom_range=[0.5, 1.0], upsample_mode="bilinear"
        ),
        component("RandGaussianNoised", keys="image", prob=0.1, std=0.03),
        component("ScaleIntensityRanged", keys="image", a_min=0, a_max=1, b_min=0, b_max=1, clip=True),
    ]


def _arguments(plan: DetectionPlan, title: str, found: str) -> Part:
    data, usual, timed = plan.data, plan.data.usual_side, plan.schedule
    widths = np.sqrt(data.boxes.prod(axis=1))
    few, many = (round(float(width)) for width in np.percentile(widths, [5, 95]))
    return {
        "descriptions": {
            "inference": f"{title}: find {found}.",
            "evaluate": f"{title}: score detections against annotated boxes, by the rules of COCO.",
            "train": f"{title}: train a YOLO-style detector to find {found}.",
        },
        "channels": data.channels,
        "network": network_of(plan.sized.filters),
        "finding": {
            "input_size": plan.input_size,
            "tile_size": 0,
            "largest_whole": round(LARGER * usual),
            "tile_overlap": 0.4,
            "min_score": 0.01,
            "overlap": 0.6,
            "most": _most(data),
        },
        "usual_tile": usual,
        "threshold": 0.25,
        "known": {"known_px": max(1, round(float(np.median(widths)))), "without_change": [few, many]},
        "training_options": {
            "max_epochs": timed.epochs,
            "epochs_without_mosaic": timed.epochs // LAST_EPOCHS,
            "scales": [0.5, 2.0],
            "closing_scales": [0.8, 1.25],
            "val_interval": timed.val_interval,
            "batch_size": plan.sized.batch,
            "learning_rate": 0.001,
            "warmup_epochs": min(3.0, timed.epochs / 10),
            "weight_decay": 0.02,
            "ema_momentum": 0.003,
        },
        "loss": {"classes": 0.5, "boxes": 7.5, "sides": 1.5},
    }


def _most(data: DetectionData) -> int:
    """The boxes that are kept of a picture."""
    return max(300, 2 * max(len(one.labels) for one in data.seen))


def _described(plan: DetectionPlan, found: str) -> Part:
    data, names, side = plan.data, list(plan.data.classes), plan.input_size
    colours = ["red", "green", "blue"] if data.channels == 3 else [str(n) for n in range(1, data.channels + 1)]
    corners = ["row1", "column1", "row2", "column2", *names]
    places = sum((side // stride) ** 2 for stride in (8, 16, 32))
    kind = {"format": "RGB"} if data.channels == 3 else {}
    inputs = image_format(channels=dict(zip(map(str, range(9)), colours)), size=[side] * 2, modality="n/a", **kind)
    outputs = image_format(
        channels={str(place): name for place, name in enumerate(corners)}, size=[places], type="feature",
        format="boxes and scores",
    )  # fmt: skip
    return {
        "task": f"Detection of {found} in pictures",
        "description": f"A YOLO-style detector, planned from the data, that finds {found}.",
        "data_type": "png",
        "image_classes": f"pictures, {data.channels} channel{'s' * (data.channels > 1)}",
        "label_classes": f"boxes of the classes {', '.join(names)}",
        "pred_classes": f"boxes in pixels and a score from 0 to 1 for each of {', '.join(names)}",
        "references": [TOOD],
        "network_data_format": {"inputs": {"image": inputs | {"value_range": [0, 1]}}, "outputs": {"pred": outputs}},
    }


def _found(data: DetectionData) -> list[Finding]:
    total = sum(data.classes.values())
    shares = "; ".join(f"{name} {count} ({count / total:.1%})" for name, count in list(data.classes.items())[:8])
    counts = [len(one.labels) for one in data.seen]
    empty = sum(count == 0 for count in counts)
    sizes = " × ".join(ranged(axis) for axis in data.sizes.T)
    stored = ranged([one.looks.channels for one in data.seen])
    return [
        Finding(
            f"{len(data.seen)} annotated pictures, {empty} of them without objects",
            f"{len(data.parts[TRAINING])} for training, {len(data.parts[VALIDATION])} for validation",
            "lists of the data set decide, else 15 % are drawn, pictures that look alike together",
        ),
        Finding(
            f"objects: {shares}", f"{len(data.classes)} classes",
            "the most frequent first; rare ones are not weighted: the loss is normalised by scores (TOOD)",
        ),
        Finding(f"{ranged(counts)} objects a picture", f"at most {_most(data)} boxes are kept", "twice the most"),
        Finding(
            f"sizes {sizes}, channels {stored}",
            f"channels: {data.channels}; pictures over {round(LARGER * data.usual_side)} are seen in tiles",
            "alpha is left out; one channel where all pictures are gray by their values",
        ),
    ]  # fmt: skip


def _concluded(plan: DetectionPlan) -> list[Finding]:
    data, sized, timed = plan.data, plan.sized, plan.schedule
    name, narrow = data.narrowest(NARROW_SHARE)
    median, many = np.percentile(data.boxes.min(axis=1), [50, 90])
    seen = narrow * plan.input_size / data.usual_side
    cut = f"; {plan.wanted} would suit" if plan.input_size < plan.wanted else ""
    return [
        Finding(
            f"shorter sides of objects: median {median:.3g}, 90 % up to {many:.3g} pixels; of the smallest class,"
            f" {name}, 90 % from {narrow:.3g}; pictures of {data.usual_side}",
            f"input of {plan.input_size}, where that is {seen:.3g} pixels; strides 8, 16, 32",
            f"{WIDE} pixels for nine tenths of each class; {LARGEST} at most; {WANTED_STEPS:,} steps in the time{cut}",
        ),
        Finding(
            f"budget {plan.budget.text}; a step is {sized.cost.operations / 1e9:.4g} GFLOP, takes"
            f" {duration(sized.step_seconds)}, keeps {sized.cost.kept_bytes / 2**20:.4g} MiB",
            f"filters {', '.join(map(str, sized.filters))}; batches of {sized.batch}",
            width_by(plan.start) or "the widest network, then the largest batch, of which there are as many steps",
        ),
        Finding(
            f"{len(data.parts[TRAINING])} pictures an epoch, as mosaics of four",
            f"{timed.epochs} epochs of {timed.steps} steps, validated every {timed.val_interval}; the last"
            f" {timed.epochs // LAST_EPOCHS} without mosaics",
            "what the budget has time for",
        ),
    ]  # fmt: skip
