"""What a plan of a registration says: the arguments of its recipe, its metadata, and its table."""

from shared.engine.recipe import Part, component
from shared.images.layouts import TRAINING, VALIDATION
from shared.planning.budget import WANTED_STEPS, duration
from shared.planning.planned import Planned, image_format
from shared.planning.registration_data import RegistrationData
from shared.planning.registration_plan import COVERED, SMALL_MM, STEPS, RegistrationPlan, network_of
from shared.planning.table import Finding, listed, ranged

IMAGES = ["moving", "fixed"]
ALL = [*IMAGES, "moving_label", "fixed_label"]
WINDOW = {2: 15, 3: 9}  # voxels along a side of the windows of NCC, as in the bundles of this zoo
VOXELMORPH = (
    "Balakrishnan, G. et al. VoxelMorph: A Learning Framework for Deformable Medical Image Registration. "
    "IEEE Transactions on Medical Imaging 38 (2019) 1788-1800. https://doi.org/10.1109/TMI.2019.2897538"
)


def as_planned(plan: RegistrationPlan, title: str) -> Planned:
    """The plan as a bundle called `title` is written from it."""
    return Planned(
        task="registration",
        recipe="shared.tasks.registration.recipe.Registration",
        lists={"class_names": plan.data.class_names, "augmentation": _augmentation(plan.data.dims)},
        arguments=_arguments(plan, title),
        findings=[*_found(plan.data), *_concluded(plan)],
        described=_described(plan),
        samples=plan.data.parts[VALIDATION][:2],
        step_seconds=plan.sized.step_seconds,
    )


def _augmentation(dims: int) -> list[Part]:
    moved = component(
        "RandAffined", keys=ALL, prob=0.5, rotate_range=[0.17] * (3 if dims == 3 else 1), scale_range=[0.1] * dims,
        translate_range=[2] * dims, mode=["bilinear", "bilinear", "nearest", "nearest"], padding_mode="zeros",
        allow_missing_keys=True,
    )  # fmt: skip
    contrast = [component("RandAdjustContrastd", keys=key, prob=0.3, gamma=[0.7, 1.5]) for key in IMAGES]
    return [moved, *contrast]


def _arguments(plan: RegistrationPlan, title: str) -> Part:
    data, timed = plan.data, plan.schedule
    return {
        "descriptions": {
            "inference": f"{title}: register pairs of images.",
            "evaluate": f"{title}: score registrations by their labels and fields.",
            "train": f"{title}: train a VoxelMorph to register pairs of images.",
        },
        "network": network_of(data.dims, plan.sized.filters),
        "alignment": {"affine": plan.affine, "pixdim": plan.pixdim},
        "likeness": {
            "similarity": "ncc", "ncc_window": WINDOW[data.dims], "smoothness": 1.0, "ignore_zeros": False,
        },
        "refining": {"refine_steps": 0, "refine_learning_rate": 0.05, "refine_anchor": 0.0, "refine_overlap": 0.0},
        "training_options": {
            "max_epochs": timed.epochs,
            "val_interval": timed.val_interval,
            "pairs_per_epoch": STEPS * plan.sized.batch,
            "batch_size": plan.sized.batch,
            "learning_rate": 0.001,
            "weight_decay": 0.0,
            "ema_momentum": 0.003,
            "patch_size": plan.sized.patch,
            "symmetric": True,
            "loss_stride": 1,
            "overlap": 1.0 if data.is_labelled else 0.0,
        },
        **({"label_suffix": data.label_suffix} if data.label_suffix else {}),
    }  # fmt: skip


def _described(plan: RegistrationPlan) -> Part:
    dims, size = plan.data.dims, plan.sized.patch
    pair = {"0": "moving image", "1": "fixed image, on the same grid; both from 0 to 1"}
    axes = {
        str(axis): f"displacement along axis {axis}, in voxels, of where the moving image is sampled"
        for axis in range(dims)
    }
    inputs = image_format(channels=pair, size=size, modality="n/a", value_range=[0, 1])
    return {
        "task": f"Registration of images in {dims}D",
        "description": "A diffeomorphic VoxelMorph, planned from the data, that moves one image onto another.",
        "data_type": "nibabel" if len(plan.data.seen[0].looks.size) == 3 else "png",
        "image_classes": "images of one channel, any intensity scale",
        "label_classes": f"{len(plan.data.class_names) - 1} classes, to learn from and for scores",
        "pred_classes": f"{dims} channels: displacement in voxels along each axis",
        "references": [VOXELMORPH],
        "network_data_format": {
            "inputs": {"image": inputs},
            "outputs": {"pred": image_format(channels=axes, size=size, format="displacement")},
        },
    }


def _found(data: RegistrationData) -> list[Finding]:
    classes = len(data.class_names) - 1
    sizes = " × ".join(ranged(axis) for axis in zip(*(one.size for one in data.seen)))
    spacings = " × ".join(ranged([round(mm, 3) for mm in axis]) for axis in zip(*(one.spacing for one in data.seen)))
    return [
        Finding(
            f"{len(data.seen)} images of {data.dims} dimensions", "pairs are drawn:"
            f" {len(data.parts[TRAINING])} images for training, {len(data.parts[VALIDATION])} for validation",
            "a validation list of the data set decides, else 15 % are drawn",
        ),
        Finding(
            f"label maps of {classes} classes" if data.is_labelled else "no label maps",
            "overlap of labels is learned from" if data.is_labelled else "learned from images alone",
            "labels need not be given in inference (Balakrishnan et al.)",
        ),
        Finding(f"sizes {sizes}; spacings {spacings}", "", "of pictures the spacing is 1"),
    ]  # fmt: skip


def _concluded(plan: RegistrationPlan) -> list[Finding]:
    sized, timed = plan.sized, plan.schedule
    return [
        Finding(
            f"budget {plan.budget.text}; a step is {sized.cost.operations / 1e9:.4g} GFLOP, takes"
            f" {duration(sized.step_seconds)}, keeps {sized.cost.kept_bytes / 2**20:.4g} MiB",
            f"registered at {plan.pixdim:g}, in {listed(sized.patch)}; filters {', '.join(map(str, sized.filters))};"
            f" batches of {sized.batch}",
            f"{COVERED} % of the images whole, at the finest spacing of which the budget has {WANTED_STEPS:,} steps",
        ),
        Finding(
            "all images on one grid" if plan.data.is_aligned else "images on grids of their own",
            f"aligned first: {plan.affine}", f"nothing on one grid; centres up to {SMALL_MM:g} mm, as of crops",
        ),
        Finding("contrast not known", "similarity: windowed NCC", "for unlike contrasts give --similarity mind"),
        Finding(
            f"{STEPS} steps an epoch",
            f"{timed.epochs} epochs, validated every {timed.val_interval}", "what the budget has time for",
        ),
    ]  # fmt: skip
