"""A data set for a registration, looked at: images, their labels if they have any, parts and what is wrong."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shared.errors import InputError
from shared.images.cases import Case
from shared.images.ids import exact_ids
from shared.images.reading import read_image
from shared.planning.faults import Faults, looked_at, outvoted, repeated
from shared.planning.seen import Looks, check_grid_of_label, looks_of
from shared.tasks.registration.subjects import find_subjects, split_subjects

MOST = 256  # classes


@dataclass(frozen=True)
class SeenSubject:
    """size, spacing: without the axis of one voxel that a slice has. place: of the grid, for comparing. ids: found."""

    case: Case
    looks: Looks
    size: tuple[int, ...]
    spacing: tuple[float, ...]
    place: str
    ids: list[int]


@dataclass(frozen=True)
class RegistrationData:
    """class_names: by id, up to the largest that a label map holds. parts: the subjects by part.

    label_suffix: by which their label maps were chosen.
    """

    root: Path
    seen: Sequence[SeenSubject]
    class_names: list[str]
    parts: dict[str, list[Case]]
    label_suffix: str = ""

    @property
    def dims(self) -> int:
        return len(self.seen[0].size)

    @property
    def is_labelled(self) -> bool:
        return any(one.ids for one in self.seen)

    @property
    def is_aligned(self) -> bool:
        """Whether all images lie on one grid."""
        return len({one.place for one in self.seen}) == 1

    @property
    def extents(self) -> np.ndarray:
        """(subjects, axes), in mm or pixels."""
        return np.array([one.size for one in self.seen]) * np.array([one.spacing for one in self.seen])


def look_at_registration(root: Path, faults: Faults, label_suffix: str = "") -> RegistrationData | None:
    """Look at every image and label. Adds what is wrong to `faults`; None where a plan cannot be made.

    label_suffix: see `find_subjects`.
    """
    try:
        subjects, parts = find_subjects(root, label_suffix), split_subjects(root, label_suffix=label_suffix)
    except InputError as error:
        faults.add(error)
        return None
    seen = looked_at(subjects, see_subject, faults)
    for fault in outvoted("dimensions", {one.case["image"]: len(one.size) for one in seen}):
        faults.add(fault)
    largest = max((number for one in seen for number in one.ids), default=0)
    if largest >= MOST:
        faults.add(InputError(root, expected=f"ids below {MOST}", got=largest, fix="number the labels anew"))
    if faults.errors:
        return None
    faults.warnings += repeated((one.case["image"], one.looks.digest) for one in seen)
    return RegistrationData(
        root, seen, ["background", *(f"class_{n}" for n in range(1, largest + 1))], parts, label_suffix
    )


def see_subject(case: Case) -> SeenSubject:
    """Raises InputError for an image or label that cannot be used."""
    image, ids = read_image(case["image"]), []
    looks = looks_of(image)
    if not image.is_raster and looks.channels != 1:
        raise InputError(image.path, expected="one channel", got=looks.channels, fix="give one volume a file")
    if "label" in case:
        label = read_image(case["label"], as_ids=True)
        check_grid_of_label(label, image)
        ids = [int(number) for number in np.unique(exact_ids(label.values, label.path)) if number > 0]
    kept = [axis for axis, size in enumerate(looks.size) if size > 1]
    return SeenSubject(
        case=case,
        looks=looks,
        size=tuple(looks.size[axis] for axis in kept),
        spacing=tuple(looks.spacing[axis] for axis in kept),
        place=f"{image.shape} {image.affine.round(2).tolist()}",
        ids=ids,
    )
