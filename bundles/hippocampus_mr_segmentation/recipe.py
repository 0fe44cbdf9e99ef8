"""The configs of this bundle: a 3D MultiResUNet over whole crops, resampled to 1 mm. Written by `make configs`."""

from shared.engine.recipe import component
from shared.tasks.segmentation.located_recipe import LocatedSegmentation
from shared.tasks.segmentation.synthetic_recipe import MEAN_DICE, SyntheticSegmentation

BOTH = ["image", "label"]
MOVED = component(
    "RandAffined", keys=BOTH, prob=0.8, rotate_range=[0.26] * 3, scale_range=[0.2] * 3, shear_range=[0.1] * 6,
    mode=["bilinear", "nearest"], padding_mode="border",
)  # fmt: skip
BLUR = {f"sigma_{axis}": [0.3, 1.0] for axis in "xyz"}

# What finds the hippocampi in a head: a small network at 4 mm, whose classes have FreeSurfer's ids.
PLACES = {
    0: "background", 2: "left_brain", 16: "middle", 17: "left_hippocampus", 24: "csf", 41: "right_brain",
    53: "right_hippocampus",
}  # fmt: skip
IDS = list(PLACES)
SEEN = {
    "weighted": 1.0, "strangeness": 0.3, "rotation": 20.0, "translation": 20.0, "noise": 0.04, "thin_slices": 5.0,
}  # fmt: skip
LOCATOR = SyntheticSegmentation(
    descriptions={"train": "Train a small U-Net to find both hippocampi in a T1-weighted head, from label maps."},
    class_names=list(PLACES.values()),
    label_values=IDS,
    network=component("shared.nets.halved_unet.HalvedUNet", spatial_dims=3, filters=[16, 32, 64, 128], hidden=32),
    grid={"roi_size": [80, 80, 80], "pixdim": [4.0, 4.0, 4.0]},
    labels_of="shared.synthesis.brain.coarse_labels",
    ranges=SEEN,
    pretrained="$@bundle_root + '/models/locator.pt'",
    training_options={
        "max_epochs": 14,
        "batch_size": 4,
        "learning_rate": 0.002,
        "ema_momentum": 0.01,
        "patch_size": [48, 48, 48],
        "samples_per_epoch": 400,
    },
)

RECIPE = LocatedSegmentation(
    locator=LOCATOR,
    sides=(IDS.index(17), IDS.index(53)),
    scattered=(IDS.index(24),),
    descriptions={
        "inference": "Segment the anterior and posterior hippocampus in T1-weighted MR scans.",
        "evaluate": "Score segmentations of the hippocampus against reference labels.",
        "train": "Train a 3D MultiResUNet to segment the anterior and posterior hippocampus in T1-weighted MR.",
    },
    class_names=["background", "anterior", "posterior"],
    network=component("shared.nets.multiresunet.MultiResUNet", spatial_dims=3, filters=[16, 40, 96, 192]),
    grid={"roi_size": [96, 96, 96], "pixdim": [1.0, 1.0, 1.0]},
    tiling={"overlap": 0.5, "flip_axes": []},
    flips={"axes": "@flip_axes"},
    doubted={"largest_mm": 70},  # a hippocampus is up to 50 mm long, and the crops of training are up to 60
    training_options={
        "max_epochs": 180,
        "val_interval": 10,
        "batch_size": 4,
        "learning_rate": 0.002,
        "weight_decay": 0.01,
        "ema_momentum": 0.003,
        "patch_size": [32, 48, 32],
    },
    loss=component("DiceCELoss", softmax=True, to_onehot_y=True, batch=True),
    key_metric={"mean_dice": MEAN_DICE},
    augmentation={
        "augmentation": [
            component("SpatialPadd", keys=BOTH, spatial_size="@patch_size", mode=["edge", "constant"]),
            MOVED,
            component("RandSpatialCropd", keys=BOTH, roi_size="@patch_size", random_size=False),
            component("RandFlipd", keys=BOTH, prob=0.5, spatial_axis=0),
            component("RandSimulateLowResolutiond", keys="image", prob=0.15, zoom_range=[0.5, 1.0]),
            component(
                "RandGaussianSmoothd", keys="image", prob=0.15, **{f"sigma_{axis}": [0.3, 1.0] for axis in "xyz"}
            ),
            component("RandAdjustContrastd", keys="image", prob=0.3, gamma=[0.7, 1.5], retain_stats=True),
            component("RandScaleIntensityd", keys="image", prob=0.5, factors=0.25),
            component("RandShiftIntensityd", keys="image", prob=0.5, offsets=0.25),
            component("RandGaussianNoised", keys="image", prob=0.2, std=0.15),
        ]
    },
)
OPTIONS = {
    "flip_axes": '`"[0]"` averages over left-right flips: twice the time',
    "locate": "`auto` finds both hippocampi in a head, which measures over 100 mm along each axis, and segments a crop"
    " around each; `always` does so in any image, `never` takes each for a crop",
    "locator_weights": "the weights of the network that finds them",
}
