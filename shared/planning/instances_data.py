"""A data set of instances, looked at: pictures, objects, parts and what is wrong with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage

from shared.errors import InputError
from shared.images.cases import Case
from shared.images.coco import coco_files, open_coco
from shared.images.reading import read_image
from shared.planning.faults import Faults, across_parts, logged, looked_at, outvoted_channels, repeated, unlabelled
from shared.planning.seen import Looks, Pictures, looks_of
from shared.tasks.instances.cases import draw_ids, find_instances, is_drawn, split_instances
from shared.tasks.instances.masks import as_ids

OBJECT = "object"  # what an instance is called where the data set does not say


@dataclass(frozen=True)
class SeenInstances:
    """A picture with its instances. boxes: height and width of each, (M, 2); areas: (M), both in pixels."""

    case: Case
    looks: Looks
    boxes: np.ndarray
    areas: np.ndarray


@dataclass(frozen=True)
class InstancesData(Pictures):
    """name: of the one class. parts: the cases by part, as train.json splits them."""

    root: Path
    seen: Sequence[SeenInstances]
    name: str
    parts: dict[str, list[Case]]

    @property
    def longer_sides(self) -> np.ndarray:
        """Of the box of each instance, in pixels."""
        return np.concatenate([one.boxes.max(axis=1) for one in self.seen])

    @property
    def typical_widths(self) -> np.ndarray:
        """The median square root of the areas in each picture that has any."""
        return np.array([float(np.median(np.sqrt(one.areas))) for one in self.seen if len(one.areas)])


def look_at_instances(root: Path, faults: Faults) -> InstancesData | None:
    """Look at every picture and its instances. Adds what is wrong to `faults`; None where a plan cannot be made."""
    for error in unlabelled(root):
        faults.add(error)
    if faults.errors:
        return None
    try:
        seen = looked_at(find_instances(root), see_instances, faults)
        with logged(faults):
            parts = split_instances(root)
    except InputError as error:
        faults.add(error)
        return None
    for fault in outvoted_channels({one.case["image"]: one.looks for one in seen}):
        faults.add(fault)
    if not any(len(one.areas) for one in seen) and not faults.errors:
        faults.add(InputError(root, expected="pictures with instances", got="none with any", fix="outline some"))
    if faults.errors:
        return None
    faults.warnings += repeated((one.case["image"], one.looks.digest) for one in seen)
    faults.warnings += across_parts(parts, pictures=True)
    return InstancesData(root, seen, class_of(root), parts)


def see_instances(case: Case) -> SeenInstances:
    """Raises InputError for a picture or its instances that cannot be used."""
    image = read_image(case["image"])
    rows, columns = image.shape
    if is_drawn(case["label"]):
        ids = draw_ids(case["label"], (columns, rows))
    else:
        ids = as_ids(read_image(case["label"], as_ids=True).values, case["label"])[0].astype(np.int64)
    if ids.shape != image.shape:
        raise InputError(
            case["label"], expected=f"one id a pixel on the grid of its image, {image.shape}", got=ids.shape,
            fix="store a label map of the image's size",
        )  # fmt: skip
    _, compact = np.unique(ids, return_inverse=True)
    numbered = compact.reshape(ids.shape) + (ids.min() > 0)  # without a background no id is 0
    places = ndimage.find_objects(numbered)
    boxes = np.array([[span.stop - span.start for span in place] for place in places]).reshape(-1, 2)
    return SeenInstances(case, looks_of(image), boxes, np.bincount(numbered.ravel())[1:])


def class_of(root: Path) -> str:
    """The name of the one category of COCO files, or OBJECT."""
    names = {name for path in coco_files(root) for name in open_coco(path).names.values()}
    return names.pop() if len(names) == 1 else OBJECT
