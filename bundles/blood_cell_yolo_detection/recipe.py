"""The configs of this bundle: a small anchor-free detector, trained on mosaics. Written by `make configs`."""

from shared.engine.recipe import component
from shared.tasks.detection.recipe import Detection

RECIPE = Detection(
    descriptions={
        "inference": "Find red cells, white cells and platelets in blood smears, and count them.",
        "evaluate": "Score detections of blood cells against annotated boxes, by the rules of COCO.",
        "train": "Train a YOLO-style detector to find red cells, white cells and platelets in blood smears.",
    },
    class_names=["RBC", "WBC", "Platelets"],
    network=component("shared.nets.yolo.Yolo", spatial_dims=2, filters=[16, 32, 64, 128, 256], repeats=[1, 2, 2, 1]),
    finding={
        "input_size": 416,
        "tile_size": 0,
        "largest_whole": 1600,
        "tile_overlap": 0.4,
        "min_score": 0.01,
        "overlap": 0.6,
        "most": 300,
    },
    usual_tile=640,
    threshold={"RBC": 0.25, "WBC": 0.4, "Platelets": 0.25},
    known={"known_px": 115, "known_um": 7.5, "without_change": [70, 150]},
    training_options={
        "max_epochs": 280,
        "epochs_without_mosaic": 40,
        "scales": [0.5, 2.0],
        "closing_scales": [0.8, 1.25],
        "val_interval": 20,
        "batch_size": 8,
        "learning_rate": 0.001,
        "warmup_epochs": 3.0,
        "weight_decay": 0.02,
        "ema_momentum": 0.001,
    },
    loss={"classes": 0.5, "boxes": 7.5, "sides": 1.5},
    augmentation=[
        component("RandBiasFieldd", keys="image", prob=0.3, degree=1, coeff_range=[-0.2, 0.2]),
        component("shared.images.colours.RandWhiteBalanced", keys="image", prob=0.5, cast=1.4),
        component("shared.images.colours.RandStainJitterd", keys="image", prob=0.5, scale=0.3, shift=0.05),
        component("shared.images.colours.RandSaturationd", keys="image", prob=0.5, saturation=1.0, brightness=0.3),
        component("RandAdjustContrastd", keys="image", prob=0.3, gamma=[0.6, 1.6]),
        component(
            "RandSimulateLowResolutiond", keys="image", prob=0.2, zoom_range=[0.4, 0.9], upsample_mode="bilinear"
        ),
        component("RandGaussianNoised", keys="image", prob=0.1, std=0.03),
        component("ScaleIntensityRanged", keys="image", a_min=0, a_max=1, b_min=0, b_max=1, clip=True),
    ],
)
OPTIONS = {
    "tile_size": "the pixels that the network sees as 416, whatever `--diameter` is; red cells should be some 85 to 145"
    " pixels wide in 640 of them; 0: by `--diameter`",
    "diameter": "of a typical cell, in pixels of the images, which are resized for the network by it; `auto`: estimated"
    " from each image; 115: nothing is resized",
}
