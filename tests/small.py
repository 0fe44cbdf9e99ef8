"""Data and networks so small that a bundle's config runs on them within a second or two."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

PhantomMaker = Callable[..., Path]  # the fixture phantom_dataset
BoxedMaker = Callable[..., Path]  # the fixture boxed_dataset


def config_of(bundle: Path, name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((bundle / "configs" / f"{name}.json").read_text(encoding="utf-8"))
    return content


def small_data(bundle: Path, folder: Path, phantoms: PhantomMaker, boxed: BoxedMaker, *, count: int = 5) -> Path:
    """A labelled data set of `count` images, of the bundle's classes."""
    names = config_of(bundle, "inference").get("class_names", ["0", "1", "2"])
    if bundle.name.endswith("_detection"):
        return boxed(folder, count=count, class_names=names)
    dims = config_of(bundle, "train")["network_def"]["spatial_dims"]
    instances = bundle.name.endswith("_instance_segmentation")  # whose names are without the background
    return phantoms(folder, count=count, shape=(20, 24, 18)[:dims], num_classes=len(names) + instances)


def small_training(bundle: Path) -> dict[str, Any]:
    """Options of train.json for a small network, and an epoch that sees each case once."""
    train = config_of(bundle, "train")
    dims = train["network_def"]["spatial_dims"]
    options: dict[str, Any] = {"val_interval": 1, "batch_size": 1, "validation_fraction": 0.2}
    if bundle.name.endswith("_detection"):
        options |= {"network_def#filters": [8, 8, 16, 16, 16], "input_size": 64}
    else:
        options |= {"network_def#filters": [4, 8], "patch_size": [16] * dims}
    if bundle.name.endswith("_instance_segmentation"):
        options |= {"network_def#filters": [8, 8], "network_def#repeats": [1, 1], "network_def#anchor_sizes": [[8, 14]]}
        options |= {"patch_size": [64, 64]}
    if "samples_per_epoch" in train:
        options |= {"samples_per_epoch": 4, "validation_samples": 1}
    if "crops_per_image" in train:
        options["crops_per_image"] = 1
    if "pairs_per_epoch" in train:
        options["pairs_per_epoch"] = 4  # as many as there are cases to train on in the other bundles
        options["patch_size"] = [24] * dims  # the guide's deepest level needs more than one voxel
    return options
