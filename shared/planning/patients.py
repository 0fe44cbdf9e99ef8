"""Which cases are of one patient, by their names."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from shared.images.layouts import TRAINING, VALIDATION
from shared.images.splits import by_patient

# A name that ends in a number, and behind it what tells the images of one patient apart: a visit, a contrast, a slice.
NAMED = r"(.*\d)[/_\-. ][^/_\-. ]+"


def patient_pattern(names: Sequence[str]) -> str:
    """The pattern by which `names` are of patients (see `by_patient`), "" where each is of its own, or all of one.

    A number with more than half of the names is taken for that of a series, not of a patient.
    """
    matches = [re.fullmatch(NAMED, name) for name in names]
    counts = Counter(match[1] for match in matches if match)
    most = max(counts.values(), default=0)
    return NAMED if 1 < most <= len(names) / 2 else ""


def shared_patients(parts: Mapping[str, Sequence[Mapping[str, Any]]], pattern: str) -> list[str]:
    """The patients of `parts`, cases by part, who are in training and validation both."""
    patients = by_patient(pattern)
    if patients is None:
        return []
    training, validation = (set(patients([case["case"] for case in parts[part]])) for part in (TRAINING, VALIDATION))
    return sorted(training & validation)
