"""The configs of this bundle: a 3D VoxelMorph that learns from labels as well. Written by `make configs`."""

from shared.engine.recipe import Part, component
from shared.tasks.registration.inferer import USUAL_STEPS
from shared.tasks.registration.recipe import Registration

IMAGES = ["moving", "fixed"]


def deformed(image: str) -> list[Part]:
    """The transforms that turn, shrink and bend an image of a pair with its label."""
    keys, modes = [image, f"{image}_label"], ["bilinear", "nearest"]
    same = {"keys": keys, "mode": modes, "padding_mode": "zeros", "allow_missing_keys": True}
    ranges = {"rotate_range": [0.17] * 3, "scale_range": [0.12] * 3, "translate_range": [2] * 3}
    return [
        component("RandAffined", prob=0.7, **ranges, **same),
        component("RandGridDistortiond", prob=0.5, num_cells=4, distort_limit=0.2, **same),
    ]


def cropped(target: str, image: str, **options: bool) -> Part:
    keys = [image, f"{image}_label"]
    return component(target, keys=keys, roi_size="@patch_size", allow_missing_keys=True, **options)


RECIPE = Registration(
    descriptions={
        "inference": "Register pairs of T1-weighted MR crops around the hippocampus.",
        "evaluate": "Score registrations of the hippocampus by their labels and fields.",
        "train": "Train a 3D VoxelMorph to register T1-weighted MR crops around the hippocampus.",
    },
    class_names=["background", "anterior", "posterior"],
    network=component(
        "shared.nets.voxelmorph.VoxelMorph",
        spatial_dims=3,
        filters=[24, 48, 64, 96],
        # The network of hippocampus_mr_segmentation.
        guide=component("shared.nets.voxelmorph.FineGuide", spatial_dims=3, out_channels=3, filters=[16, 40, 96, 192]),
        symmetric=True,
    ),
    alignment={"affine": "centre", "pixdim": 1.0},
    likeness={"similarity": "ncc", "ncc_window": 9, "smoothness": 1.0, "ignore_zeros": True},
    refining={"refine_steps": None, "refine_learning_rate": 0.4, "refine_anchor": 0.0, "refine_overlap": 8.0},
    training_options={
        "max_epochs": 26,
        "val_interval": 2,
        "pairs_per_epoch": 400,
        "batch_size": 2,
        "learning_rate": 0.001,
        "weight_decay": 0.0,
        "ema_momentum": 0.003,
        "patch_size": [48, 64, 48],
        "shift": 3,
        "learn": "all",
        "symmetric": True,
        "loss_stride": 1,
        "overlap": 2.0,
    },
    learning={"learn": "@learn"},
    bytes_a_voxel=1100,  # 1022 measured, at 112 × 112 × 112
    read_size="$[size + 2 * @shift for size in @patch_size]",
    augmentation=[
        *deformed("moving"),
        *deformed("fixed"),
        cropped("RandSpatialCropd", "moving", random_size=False),
        cropped("CenterSpatialCropd", "fixed"),
        component(
            "RandFlipd",
            keys=[*IMAGES, "moving_label", "fixed_label"],
            prob=0.5,
            spatial_axis=0,
            allow_missing_keys=True,
        ),
        *(component("RandAdjustContrastd", keys=key, prob=0.5, gamma=[0.6, 1.7]) for key in IMAGES),
    ],
)
OPTIONS = {
    "refine_steps": "steps on the pair at hand, from the network's field on; `0`: the network alone; default:"
    f" {USUAL_STEPS}, and 0 with another `--runtime` than torch",
    "runtime": "`onnx` runs the network in onnxruntime, in float32, from a file that the first run exports in about a"
    " minute; `auto` takes it or torch, whichever is the faster for the first pair; OpenVINO cannot sample volumes",
    "affine": "how the images are aligned first, as part of the field: by their centres, since the origins of such"
    " crops mean nothing; `rigid` or `affine`, by what they show; `none`",
}
