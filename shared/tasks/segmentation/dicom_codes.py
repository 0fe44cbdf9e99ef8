"""What the classes of a segmentation are called in DICOM: SNOMED CT's codes of the structures that they are of."""

from collections.abc import Mapping
from typing import NamedTuple


class Code(NamedTuple):
    """A coded concept, as pydicom takes it."""

    value: str
    scheme_designator: str
    meaning: str


LEFT, RIGHT = Code("7771000", "SCT", "Left"), Code("24028007", "SCT", "Right")
SIDES = {"left_": LEFT, "right_": RIGHT}
ANATOMY = Code("91723000", "SCT", "Anatomical Structure")
# By the name of a class without its side; from DICOM PS3.16, CID 7140, and of fluid from CID 7153.
STRUCTURES: Mapping[str, tuple[str, str]] = {
    "accumbens": ("427667007", "Nucleus Accumbens"),
    "amygdala": ("4958002", "Amygdala"),
    "brain_stem": ("119238007", "Brain Stem"),
    "caudate": ("11000004", "Caudate Nucleus"),
    "cerebellum_cortex": ("25991003", "Cerebellar Cortex"),
    "cerebellum_white_matter": ("33060004", "Cerebellar White Matter"),
    "cerebral_cortex": ("40146001", "Cerebral Gray Matter"),
    "cerebral_white_matter": ("68523003", "Cerebral White Matter"),
    "csf": ("65216001", "Cerebrospinal Fluid"),
    "fourth_ventricle": ("35918002", "Fourth Ventricle"),
    "hippocampus": ("5366008", "Hippocampus"),
    "inferior_lateral_ventricle": ("53118009", "Inferior Horn of Lateral Ventricle"),
    "lateral_ventricle": ("66720007", "Lateral Ventricle"),
    "pallidum": ("14738005", "Globus Pallidus"),
    "putamen": ("89278009", "Putamen"),
    "thalamus": ("119406000", "Thalamus"),
    "third_ventricle": ("49841001", "Third ventricle"),
}


def code_of(name: str) -> Code:
    """The code of what a class is of, whatever its side; one of the zoo's own where SNOMED CT has none in DICOM."""
    plain = name
    for side in SIDES:
        plain = plain.removeprefix(side)
    if plain in STRUCTURES:
        value, meaning = STRUCTURES[plain]
        return Code(value, "SCT", meaning)
    return Code(plain.upper()[:16], "99MONAIZOO", plain.replace("_", " ")[:64])


def side_of(name: str) -> Code | None:
    """The side that the name of a class begins with, if it does."""
    return next((code for side, code in SIDES.items() if name.startswith(side)), None)
