"""Detection from an image file to what `DetectionWriter` takes, without torch."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from shared.images.accepting import accepted
from shared.images.file import ImageFile
from shared.images.magnifying import Magnification
from shared.images.ranges import scaled, within_extremes
from shared.tasks.detection.letterbox import Letterbox, kept_once
from shared.tasks.detection.results import DetectionWriter

PREPROCESSING = ("shared.images.checking.ReadCased", "shared.images.scaling.ScaleByRanged")  # what `find` does first


def writer(config: Mapping[str, Any], output_dir: str) -> DetectionWriter:
    """The writer of a bundle's inference.json."""
    return DetectionWriter(output_dir, class_names=config["class_names"], threshold=config["threshold"])


def find(
    file: ImageFile, config: Mapping[str, Any], run: Callable[[np.ndarray], Sequence[np.ndarray]]
) -> dict[str, Any]:
    """The objects in an image, by the options of inference.json.

    run: takes images (1, C, rows, columns) and gives the outputs of the network's ONNX form, the one that is called
    "pred". Raises InputError where the image cannot be used.
    """
    values = accepted(file, spatial_dims=2, channels=config["channels"], channel=config["channel"])
    image = scaled(values, *within_extremes(values))
    letterbox = Letterbox(
        input_size=config["input_size"], tile_size=config["tile_size"], largest_whole=config["largest_whole"],
        usual_tile=config["inferer"]["usual_tile"], overlap=config["tile_overlap"], most=config["most"],
        magnification=Magnification.of_config(config),
    )  # fmt: skip
    found = letterbox(image, lambda tile: run(tile)[0], file.pixel_size)
    limits = {name: config[name] for name in ("min_score", "overlap", "most")}
    return {"pred": kept_once(found, image.shape[1:], **limits)}
