"""A labelled data set for a segmentation, looked at: images, classes, parts and what is wrong with it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shared.errors import InputError
from shared.images.cases import Case, find_labelled_cases, split_cases
from shared.planning.classes import (
    Classes,
    absent_classes,
    declared_classes,
    described,
    faults_of_classes,
    found_classes,
)  # fmt: skip
from shared.planning.counterparts import axes_of_sides
from shared.planning.faults import Faults, across_parts, looked_at, outvoted, outvoted_channels, repeated, unlabelled
from shared.planning.patients import patient_pattern, shared_patients
from shared.planning.seen import Seen, see


@dataclass(frozen=True)
class SegmentationData:
    """parts: the cases by part, as train.json splits them. patient: see `patient_pattern`. modality: "" if unknown.

    channels: of an image as the network is to take it: 1 where all pictures are gray, whatever their files hold.
    """

    root: Path
    seen: Sequence[Seen]
    classes: Classes
    parts: dict[str, list[Case]]
    patient: str
    modality: str
    channels: int

    @property
    def dims(self) -> int:
        return len(self.seen[0].size)

    @property
    def sizes(self) -> np.ndarray:
        """(cases, axes), in voxels."""
        return np.array([one.size for one in self.seen])

    @property
    def thin(self) -> float:
        """The width of the thinnest class of all pictures but a tenth, by a picture's longer side; inf if unknown."""
        widths = [one.thin for one in self.seen if math.isfinite(one.thin)]
        return float(np.percentile(widths, 10)) if widths else math.inf

    @property
    def sided(self) -> list[int]:
        """Axes along which classes have counterparts, as left and right ones do."""
        return axes_of_sides((one.voxels, one.counterparts) for one in self.seen)

    @property
    def spacings(self) -> np.ndarray:
        """(cases, axes), in mm; 1 of pictures."""
        return np.array([one.spacing for one in self.seen])


def look_at_segmentation(root: Path, faults: Faults) -> SegmentationData | None:
    """Look at every image and label in `root`. Adds what is wrong to `faults`; None where a plan cannot be made."""
    for error in unlabelled(root):
        faults.add(error)
    if faults.errors:
        return None
    content = described(root)
    cases = find_labelled_cases(root)
    seen = looked_at(cases, see, faults)
    for fault in (
        *outvoted("dimensions", {one.case["image"]: len(one.size) for one in seen}),
        *outvoted_channels({one.case["image"]: one for one in seen}),
    ):
        faults.add(fault)
    declared = declared_classes(content, root / "dataset.json")
    classes = found_classes(seen, declared)
    for fault in faults_of_classes(seen, classes):
        faults.add(fault)
    patient = patient_pattern([case["case"] for case in cases])
    try:
        parts = split_cases(root, patient=patient)
    except InputError as error:
        faults.add(error)
    if faults.errors:
        return None
    faults.warnings += absent_classes(seen, classes)
    faults.warnings += repeated((one.case["image"], one.digest) for one in seen)
    faults.warnings += across_parts(parts, pictures=not seen[0].is_volume)
    for name in shared_patients(parts, patient):
        faults.warnings.append(f"{root}: {name} is in training and validation both, by the data set's own lists")
    channels = 1 if all(one.gray for one in seen) else max(one.channels for one in seen)
    return SegmentationData(root, seen, classes, parts, patient, _modality(content), channels)


def _modality(content: dict) -> str:
    """Of the first channel, as dataset.json says."""
    named = content.get("modality") or content.get("channel_names") or {}
    return str(next(iter(named.values()), "")) if isinstance(named, dict) else str(named)
