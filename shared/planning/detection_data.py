"""An annotated data set for a detection, looked at: pictures, boxes, classes, parts and what is wrong with it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shared.errors import InputError
from shared.images.boxes import has_area
from shared.images.reading import read_image
from shared.planning.faults import Faults, across_parts, logged, looked_at, outvoted_channels, repeated
from shared.planning.seen import Looks, Pictures, looks_of
from shared.tasks.detection.annotations import read_boxes
from shared.tasks.detection.boxed import BoxedImage
from shared.tasks.detection.cases import BoxedCase, boxed_cases


@dataclass(frozen=True)
class SeenBoxes:
    """A picture with its objects. boxes: width and height of each, in pixels, (M, 2). labels: their classes."""

    case: BoxedImage
    looks: Looks
    boxes: np.ndarray
    labels: list[str]


@dataclass(frozen=True)
class DetectionData(Pictures):
    """classes: by how many objects there are of each, the most first. parts: as train.json splits the pictures."""

    root: Path
    seen: Sequence[SeenBoxes]
    classes: dict[str, int]
    parts: dict[str, list[BoxedCase]]

    @property
    def boxes(self) -> np.ndarray:
        """Width and height of each object, (M, 2)."""
        return np.concatenate([one.boxes for one in self.seen])

    def narrowest(self, percentile: float, fewest: float = 0.01) -> tuple[str, float]:
        """The class whose objects are the smallest, and a percentile of their shorter sides, in pixels.

        Of classes with less than `fewest` of the objects nothing is asked.
        """
        labels = np.array([label for one in self.seen for label in one.labels])
        sides, total = self.boxes.min(axis=1), len(labels)
        asked = [name for name, count in self.classes.items() if count >= fewest * total]
        found = {name: float(np.percentile(sides[labels == name], percentile)) for name in asked}
        return min(found.items(), key=lambda pair: pair[1])

    @property
    def usual_side(self) -> int:
        """The median longer side of a picture."""
        return round(float(np.median(self.sizes.max(axis=1))))


def look_at_detection(root: Path, faults: Faults) -> DetectionData | None:
    """Look at every picture and its boxes. Adds what is wrong to `faults`; None where a plan cannot be made."""
    try:
        with logged(faults):
            boxed = read_boxes(root)
    except InputError as error:
        faults.add(error)
        return None
    seen = looked_at(boxed, see_boxes, faults)
    classes = dict(Counter(label for one in seen for label in one.labels).most_common())
    for fault in outvoted_channels({str(one.case.image): one.looks for one in seen}):
        faults.add(fault)
    if not classes and not faults.errors:
        faults.add(InputError(root, expected="pictures with objects", got="none with any", fix="annotate some"))
    if faults.errors:
        return None
    try:
        with logged(faults):
            parts = boxed_cases(root, list(classes))
    except InputError as error:
        faults.add(error)
        return None
    faults.warnings += repeated((str(one.case.image), one.looks.digest) for one in seen)
    faults.warnings += across_parts(parts, pictures=True)
    faults.warnings[:] = dict.fromkeys(faults.warnings)  # what is read twice is logged twice
    return DetectionData(root, seen, classes, parts)


def see_boxes(boxed: BoxedImage) -> SeenBoxes:
    """Raises InputError for a picture that cannot be read or is empty."""
    image = read_image(boxed.image)
    objects = [one for one in boxed.objects if has_area(one.box) and not one.crowd]
    corners = np.array([one.box for one in objects], dtype=float).reshape(-1, 4)
    return SeenBoxes(boxed, looks_of(image), corners[:, 2:] - corners[:, :2], [one.label for one in objects])
