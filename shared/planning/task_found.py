"""Which task a data set is for, found out by looking."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy import ndimage

from shared.errors import InputError
from shared.files import read_json
from shared.images.beside import with_labels_beside
from shared.images.cases import find_cases
from shared.images.coco import coco_files, open_coco
from shared.images.labelme import labelme_files
from shared.images.layouts import labelled_folders
from shared.images.raster import RASTER_ENDINGS
from shared.images.reading import read_ids
from shared.tasks.detection.voc import is_voc
from shared.tasks.detection.yolo import is_yolo
from shared.tasks.instances.cases import cellpose_cases
from shared.tasks.registration.cases import PAIRS_FILE

LOOKED_AT = 12  # label maps, from the first to the last
FEWEST = 5  # objects that a picture of instances has, where it has many
WHOLE = 0.9  # share of the ids of instances that are one piece


def task_of(root: Path) -> str:
    """The task that the layout of `root` is for: a folder of images and what describes them.

    Label maps of pictures are of instances where their values count pieces, as they do not for classes.
    Raises InputError where it is for none.
    """
    if not root.is_dir():
        raise InputError(root, expected="a folder", got="none", fix="check --dataset_dir")
    if (root / PAIRS_FILE).is_file():
        return "registration"
    if files := coco_files(root):
        return "instances" if any(map(_is_outlined, files)) else "detection"
    if is_voc(root) or is_yolo(root):
        return "detection"
    if files := labelme_files(root):
        return "instances" if any(map(_has_polygons, files)) else "detection"
    if folders := labelled_folders(root):
        labels = [case["image"] for _, folder in folders for case in find_cases(folder)]
        return "instances" if _are_instances(labels) else "segmentation"
    if cellpose_cases(root):
        return "instances"
    if with_labels_beside(root, find_cases(root)):
        return "segmentation"
    raise InputError(
        root, expected="images with labels, boxes or outlines", got="images alone",
        fix="add them, or give --task registration, which learns without",
    )  # fmt: skip


def _is_outlined(path: Path) -> bool:
    file = open_coco(path)
    return any(one.get("segmentation") for image in file.images for one in file.annotations(image))


def _has_polygons(path: Path) -> bool:
    shapes = read_json(path).get("shapes", [])
    return any(shape.get("shape_type") == "polygon" for shape in shapes)


def _are_instances(labels: Sequence[str]) -> bool:
    """Whether label maps of pictures number pieces: other values in each, most of which are in one piece."""
    chosen = labels[:: max(1, len(labels) // LOOKED_AT)]
    if not all(Path(label).name.lower().endswith(RASTER_ENDINGS) for label in chosen):
        return False
    found = [pieces for label in chosen if (pieces := _pieces(label)) is not None]
    counts = [len(pieces) for pieces in found]
    pieces = [piece for each in found for piece in each]
    return len(set(counts)) > 1 and max(counts) >= FEWEST and float(np.mean(np.array(pieces) == 1)) >= WHOLE


def _pieces(label: str) -> list[int] | None:
    """In how many pieces each id of a label map is; None of one that cannot be read or has channels."""
    try:
        ids = read_ids(label).values
    except InputError:
        return None
    if len(ids) != 1:
        return None
    places = ndimage.find_objects(ids[0])
    return [ndimage.label(ids[0][place] == number)[1] for number, place in enumerate(places, 1) if place is not None]
