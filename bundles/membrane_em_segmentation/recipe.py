"""The configs of this bundle: a 2D MultiResUNet over tiles of sections of any size. Written by `make configs`."""

from shared.engine.recipe import component
from shared.engine.training_recipe import PRED_AND_LABEL
from shared.tasks.segmentation.recipe import Segmentation

BOTH = ["image", "label"]
AUGMENTATION = [
    component("SpatialPadd", keys=BOTH, spatial_size="@train#margin_size", mode="edge"),
    component("RandSpatialCropd", keys=BOTH, roi_size="@train#margin_size", random_size=False),
    component(
        "Rand2DElasticd",
        keys=BOTH,
        prob=0.4,
        spacing=[32, 32],
        magnitude_range=[0.5, 3.0],
        rotate_range="$3.14 if @turns else 0.2",
        scale_range=0.15,
        shear_range=[0.1, 0.1],
        spatial_size="@patch_size",
        mode=["bilinear", "nearest"],
        padding_mode="reflection",
    ),
    component("RandFlipd", keys=BOTH, prob="$0.5 if @turns else 0.0", spatial_axis=0),
    component("RandRotate90d", keys=BOTH, prob="$0.75 if @turns else 0.0", max_k=3),
    component("RandSimulateLowResolutiond", keys="image", prob=0.05, zoom_range=[0.5, 1.0], upsample_mode="bilinear"),
    component("RandGaussianSmoothd", keys="image", prob=0.1, sigma_x=[0.3, 1.0], sigma_y=[0.3, 1.0]),
    component("RandAdjustContrastd", keys="image", prob=0.2, gamma=[0.7, 1.5], retain_stats=True),
    component("RandScaleIntensityd", keys="image", prob=0.3, factors=0.2),
    component("RandShiftIntensityd", keys="image", prob=0.3, offsets=0.2),
    component("RandGaussianNoised", keys="image", prob=0.15, std=0.15),
]
BACK = "$[-offset for offset in @label_offset]"  # labels are drawn half a pixel off

RECIPE = Segmentation(
    descriptions={
        "inference": "Separate cells from their membranes in images of electron microscopy.",
        "evaluate": "Score segmentations of cells and membranes against reference labels.",
        "train": "Train a 2D MultiResUNet to separate cells from their membranes in electron microscopy.",
    },
    class_names=["membrane", "inside"],
    label_values=[0, 255],
    include_background=True,
    folds=True,
    network=component(
        "shared.nets.multiresunet.MultiResUNet",
        spatial_dims=2,
        block="multires",
        skip="respath",
        filters=[16, 32, 64, 128, 256],
    ),
    grid={"roi_size": [512, 512], "label_offset": [-0.5, 0.0]},
    known={"known_px": 29, "known_um": 0.116},  # the median profile of a cell, at 4 nm a pixel
    tiling={"overlap": 0.25, "test_time_augmentation": False},
    flips={"axes": "$[0, 1] if @test_time_augmentation else []", "transpose": "@test_time_augmentation"},
    shift=[component("Affined", keys="pred", translate_params=BACK, mode="bilinear", padding_mode="border")],
    training_options={
        "max_epochs": 130,
        "val_interval": 10,
        "batch_size": 2,
        "learning_rate": 0.002,
        "weight_decay": 0.01,
        "ema_momentum": 0.003,
        "crops_per_image": 4,
        "patch_size": [256, 256],
        "turns": True,
    },
    several_crops=True,
    loss=component("DiceCELoss", softmax=True, to_onehot_y=True, batch=True, jaccard=True),
    key_metric={
        "mean_jaccard": component("MeanIoUHandler", include_background=True, output_transform=PRED_AND_LABEL),
    },
    augmentation={"margin_size": "$[size * 5 // 4 for size in @patch_size]", "augmentation": AUGMENTATION},
)
OPTIONS = {
    "label_offset": 'rows and columns by which labels are off the membranes, see below; `"[0,0]"` for others',
    "test_time_augmentation": "`True` averages over the 8 flips and turns: 8 times the time",
}
