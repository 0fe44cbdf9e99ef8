"""The configs of this bundle: a 2D VoxelMorph over coronal slices. Written by `make configs`."""

from shared.engine.recipe import component
from shared.tasks.registration.recipe import Registration

SIDES = [
    "cerebral_white_matter", "cerebral_cortex", "lateral_ventricle", "inf_lat_ventricle", "thalamus", "caudate",
    "putamen", "pallidum",
]  # fmt: skip
CLASS_NAMES = [
    "background",
    *(f"left_{name}" for name in SIDES),
    *("3rd_ventricle", "brain_stem", "left_hippocampus", "left_ventral_dc", "left_choroid_plexus"),
    *(f"right_{name}" for name in SIDES),
    *("right_hippocampus", "right_ventral_dc", "right_choroid_plexus"),
]
IMAGES = ["moving", "fixed"]
ALL = [*IMAGES, "moving_label", "fixed_label"]

RECIPE = Registration(
    descriptions={
        "inference": "Register pairs of coronal slices of T1-weighted brain MR.",
        "evaluate": "Score registrations of brain slices by their labels and fields.",
        "train": "Train a 2D VoxelMorph to register coronal slices of T1-weighted brain MR.",
    },
    class_names=CLASS_NAMES,
    label_suffix="_seg24",
    network=component("shared.nets.voxelmorph.VoxelMorph", spatial_dims=2, filters=[32, 48, 64, 96], symmetric=True),
    alignment={"affine": "none", "pixdim": 1.0},
    likeness={"similarity": "ncc", "ncc_window": 15, "smoothness": 0.5, "ignore_zeros": False},
    refining={"refine_steps": 0, "refine_learning_rate": 0.05, "refine_anchor": 2.0, "refine_overlap": 0.0},
    training_options={
        "max_epochs": 34,
        "val_interval": 2,
        "pairs_per_epoch": 2000,
        "batch_size": 4,
        "learning_rate": 0.001,
        "weight_decay": 0.0,
        "ema_momentum": 0.003,
        "patch_size": [160, 192],
        "symmetric": True,
        "loss_stride": 1,
        "overlap": 1.0,
    },
    augmentation=[
        component("RandFlipd", keys=ALL, prob=0.5, spatial_axis=0, allow_missing_keys=True),
        component(
            "RandAffined",
            keys=ALL,
            prob=0.5,
            rotate_range=[0.17],
            scale_range=[0.1, 0.1],
            translate_range=[4, 4],
            mode=["bilinear", "bilinear", "nearest", "nearest"],
            padding_mode="zeros",
            allow_missing_keys=True,
        ),
        *(component("RandAdjustContrastd", keys=key, prob=0.3, gamma=[0.7, 1.5]) for key in IMAGES),
    ],
)
