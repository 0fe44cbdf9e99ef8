"""Instances from an image file to what `InstanceWriter` takes, without torch."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from shared.images.accepting import accepted
from shared.images.file import ImageFile
from shared.images.magnifying import Magnification
from shared.images.ranges import scaled, within_percentiles
from shared.tasks.instances.results import InstanceWriter
from shared.tasks.instances.tiling import Tiling

PREPROCESSING = (  # what `find` does first
    "shared.images.checking.ReadCased",
    "shared.tasks.instances.transforms.ScaleByPercentilesd",
)
TILING = ("roi_size", "overlap", "scales", "threshold", "smallest")


def writer(config: Mapping[str, Any], output_dir: str) -> InstanceWriter:
    """The writer of a bundle's inference.json."""
    return InstanceWriter(output_dir, class_names=config["class_names"], formats=config["formats"])


def find(
    file: ImageFile, config: Mapping[str, Any], run: Callable[[np.ndarray], Sequence[np.ndarray]]
) -> dict[str, Any]:
    """The instances in an image, by the options of inference.json.

    run: takes images (1, C, rows, columns) and gives the outputs of the network's ONNX form, the fields of `Instances`.
    Raises InputError where the image cannot be used.
    """
    values = accepted(file, spatial_dims=2, channels=config["channels"], channel=config["channel"])
    scaling = config["preprocessing"]["transforms"][-1]
    low, high = within_percentiles(values, (scaling["lower"], scaling["upper"]))
    image = scaled(values, low, high, onto=(-1, 1))
    tiling = Tiling(**{name: config[name] for name in TILING}, magnification=Magnification.of_config(config))
    ids, pieces = tiling(image, run, file.pixel_size)
    scores = np.array([piece.score for piece in pieces], dtype=np.float32)
    return {"pred": ids[None], "scores": scores, "labels": np.array([piece.label for piece in pieces], dtype=int)}
