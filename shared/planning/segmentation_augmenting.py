"""How training images of a planned segmentation are changed, and what of it would make labels wrong."""

import math
import time
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass

import torch
from monai.bundle import ConfigParser
from monai.data import MetaTensor
from monai.transforms import Randomizable

from shared.engine.recipe import Part, component
from shared.planning.reducing import COVERED as LITTLE
from shared.tasks.segmentation.recipe import NUM_CLASSES

BOTH = ["image", "label"]
NEAREST = ["bilinear", "nearest"]
# Words of classes that are told apart by where they are, by axis: x, y, z of volumes, rows and columns of pictures.
SIDES = {
    3: [("left", "right"), ("anterior", "posterior"), ("superior", "inferior", "upper", "lower")],
    2: [("superior", "inferior", "upper", "lower"), ("left", "right")],
}
TURNED = 0.26  # radians, 15 degrees
THICK = 3.0  # times as coarse as the others is an axis across which nothing is turned
COVERED = 0.8  # of the median image that a patch covers, from which it may lie anywhere
MARGIN = "$[size * 5 // 4 for size in @patch_size]"  # of what is cut out, which is moved before a patch is cut of it
FOREGROUND = 1 / 3  # of patches that are centred on a class: nnU-Net's
MORE_FOREGROUND = 2 / 3  # of the same, where a patch shows less than LITTLE of the median image
CENTRES = 10_000  # places of a class in an image, at most, that a patch may be centred on
INDICES = "label_cls_indices"  # what ClassesToIndicesd adds of the key "label"


@dataclass(frozen=True)
class Views:
    """Of training images.

    size: the median one, in voxels. spacing: in mm. classes: their names. sided: axes along which classes have
    counterparts.
    """

    patch: Sequence[int]
    size: Sequence[int]
    spacing: Sequence[float]
    classes: Sequence[str]
    sided: Sequence[int] = ()

    @property
    def dims(self) -> int:
        return len(self.patch)

    @property
    def is_whole(self) -> bool:
        """Whether a patch shows most of an image."""
        return all(side >= COVERED * whole for side, whole in zip(self.patch, self.size))

    @property
    def foreground(self) -> float:
        """The share of patches that are centred on a class."""
        return MORE_FOREGROUND if math.prod(self.patch) < LITTLE * math.prod(self.size) else FOREGROUND

    def flipped_axes(self) -> list[int]:
        """Axes along which an image may be mirrored: those that tell no classes apart."""
        words = {word for name in self.classes for word in name.lower().replace("-", "_").replace(" ", "_").split("_")}
        named = [axis for axis, sides in enumerate(SIDES[self.dims]) if words & set(sides)]
        return [axis for axis in range(self.dims) if axis not in named and axis not in self.sided]

    def thick_axis(self) -> int | None:
        """The axis that is THICK times as coarse as the others, if one is."""
        coarsest = max(range(self.dims), key=lambda axis: self.spacing[axis])
        others = [mm for axis, mm in enumerate(self.spacing) if axis != coarsest]
        return coarsest if self.spacing[coarsest] > THICK * max(others) else None

    def may_turn(self) -> bool:
        """Whether quarter turns leave a picture what it is."""
        return self.dims == 2 and self.flipped_axes() == [0, 1] and self.patch[0] == self.patch[1]


def augmentation(views: Views) -> list[Part]:
    """The transforms of image and label: cut out, moved, mirrored, then the image alone blurred and recoloured."""
    return [*_cut_and_moved(views), *_mirrored(views), *_recoloured(views.dims)]


def sampling_seconds(views: Views, channels: int, repeats: int = 6) -> float:
    """What it takes to make a patch of a cached image of median size: the mean of `repeats`, after one more."""
    content = {"patch_size": list(views.patch), "class_names": list(views.classes)}
    content["train"] = {"margin_size": MARGIN, "augmentation": augmentation(views)}
    transforms = ConfigParser(content).get_parsed_content("train#augmentation")
    label = torch.randint(len(views.classes), (1, *views.size))
    sample = {"image": MetaTensor(torch.rand(channels, *views.size)), "label": MetaTensor(label)}
    while not isinstance(transforms[0], Randomizable):
        sample = transforms.pop(0)(sample)
    begun = time.perf_counter()
    for repeat in range(repeats + 1):
        begun = time.perf_counter() if repeat == 1 else begun
        made = deepcopy(sample)
        for transform in transforms:
            made = transform(made)
            made = made[0] if isinstance(made, list) else made
    return (time.perf_counter() - begun) / repeats


def _cut_and_moved(views: Views) -> list[Part]:
    size = "@patch_size" if views.is_whole else "@train#margin_size"
    padded = component("SpatialPadd", keys=BOTH, spatial_size=size, mode=["edge", "constant"])
    if views.is_whole:
        crop = component("RandSpatialCropd", keys=BOTH, roi_size=size, random_size=False)
        return [padded, _moved(views), crop]
    others = len(views.classes) - 1
    # Found once, since data sets cache what comes before anything random: in a large volume it outlasts a step.
    found = component("ClassesToIndicesd", keys="label", num_classes=NUM_CLASSES, max_samples_per_class=CENTRES)
    crop = component(
        "RandCropByLabelClassesd", keys=BOTH, label_key="label", spatial_size=size, num_classes=NUM_CLASSES,
        indices_key=INDICES, ratios=[round(others * (1 / views.foreground - 1), 3), *[1] * others], num_samples=1,
        warn=False,
    )  # fmt: skip
    return [padded, found, crop, component("DeleteItemsd", keys=INDICES), _moved(views, spatial_size="@patch_size")]


def _moved(views: Views, **options: str) -> Part:
    thick = views.thick_axis()
    planes = range(3) if views.dims == 3 else range(1)
    turned = [TURNED if thick in (None, axis) else 0.0 for axis in planes]
    scaled = [0.0 if axis == thick else 0.2 for axis in range(views.dims)]
    return component(
        "RandAffined", keys=BOTH, prob=0.5, rotate_range=turned, scale_range=scaled, mode=NEAREST,
        padding_mode="border", **options,
    )  # fmt: skip


def _mirrored(views: Views) -> list[Part]:
    flips = [component("RandFlipd", keys=BOTH, prob=0.5, spatial_axis=axis) for axis in views.flipped_axes()]
    turns = [component("RandRotate90d", keys=BOTH, prob=0.5, max_k=3)] if views.may_turn() else []
    return flips + turns


def _recoloured(dims: int) -> list[Part]:
    blur = {f"sigma_{axis}": [0.3, 1.0] for axis in "xyz"[:dims]}
    smooth = {} if dims == 3 else {"upsample_mode": "bilinear"}
    return [
        component("RandSimulateLowResolutiond", keys="image", prob=0.15, zoom_range=[0.5, 1.0], **smooth),
        component("RandGaussianSmoothd", keys="image", prob=0.15, **blur),
        component("RandAdjustContrastd", keys="image", prob=0.3, gamma=[0.7, 1.5], retain_stats=True),
        component("RandScaleIntensityd", keys="image", prob=0.5, factors=0.25, channel_wise=True),
        component("RandShiftIntensityd", keys="image", prob=0.5, offsets=0.25, channel_wise=True),
        component("RandGaussianNoised", keys="image", prob=0.2, std=0.15),
    ]
