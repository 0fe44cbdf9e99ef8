"""The configs of this bundle: a small Mask R-CNN over tiles at two scales. Written by `make configs`."""

from shared.engine.recipe import component
from shared.tasks.instances.recipe import Instances

RECIPE = Instances(
    descriptions={
        "inference": "Find every nucleus in microscopy images.",
        "evaluate": "Score the nuclei found against reference labels.",
        "train": "Train a Mask R-CNN to find every nucleus in microscopy images.",
    },
    class_names=["nucleus"],
    network=component(
        "shared.nets.mask_rcnn.build_mask_rcnn",
        spatial_dims=2,
        filters=[32, 64, 128, 192],
        repeats=[2, 2, 2, 2],
        channels=64,
        anchor_sizes=[[8, 14], [22, 36], [60, 100]],
        masks=True,
        candidates=1200,
        proposals=600,
        detections=400,
    ),
    percentiles=(0.5, 99.8),
    known={"known_px": 20, "known_um": 8.0, "without_change": [12, 60]},
    tiling={"roi_size": [384, 384], "overlap": 96, "threshold": 0.3},
    fusing={"scales": [1, 1.5], "smallest": 8},
    training_options={
        "max_epochs": 44,
        "val_interval": 6,
        "batch_size": 4,
        "learning_rate": 0.001,
        "weight_decay": 0.02,
        "ema_momentum": 0.003,
        "crops_per_image": 1,
        "instances_per_crop": None,
        "repeated": {"histology": 3, "brightfield": 6},
        "patch_size": [256, 256],
        "zoom": [0.6, 1.8],
        "widths": [7, 60],
        "positives": 40,
        "negatives": 56,
    },
    augmentation=[
        component("EnsureTyped", keys=["image", "label"], track_meta=False),
        component(
            "shared.tasks.instances.patches.RandCropd",
            image_key="image",
            ids_key="label",
            size="@patch_size",
            zoom="@zoom",
            widths="@widths",
        ),
        component("shared.images.colours.RandStainJitterd", keys="image", prob=0.5, scale=0.3, shift=0.05, black=-1),
        component("shared.tasks.instances.patches.RandStaind", keys="image"),
        component("RandGaussianSmoothd", keys="image", prob=0.1, sigma_x=[0.3, 1.2], sigma_y=[0.3, 1.2]),
        component(
            "RandSimulateLowResolutiond",
            keys="image",
            prob=0.15,
            zoom_range=[0.4, 0.9],
            downsample_mode="area",
            upsample_mode="bilinear",
        ),
    ],
)
