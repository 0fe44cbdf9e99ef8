"""Cases of one patient are told by their names, and lie in one part."""

import pytest

from shared.errors import InputError
from shared.images.splits import by_patient, split_by_name
from shared.planning.patients import patient_pattern, shared_patients

OF_ONE = ["p01_t1", "p01_t2", "p02_t1", "p02_t2", "p03_t1"]


def test_a_number_with_several_images_is_a_patient() -> None:
    group = by_patient(patient_pattern(OF_ONE))
    assert group is not None
    assert group([*OF_ONE, "other"]) == ["p01", "p01", "p02", "p02", "p03", "other"]


@pytest.mark.parametrize(
    "names",
    [
        ["hippocampus_001", "hippocampus_003"],  # a word is no patient
        ["train_2024_1", "train_2024_2", "train_2024_3"],  # a series
        ["OAS1_0001_MR1", "OAS1_0002_MR1"],  # one image each
        ["histology_a", "histology_b", "fluorescence_c"],  # a stain
    ],
)
def test_other_names_are_of_a_patient_each(names: list[str]) -> None:
    assert patient_pattern(names) == ""


@pytest.mark.parametrize("pattern", ["(p", "p.*"])
def test_a_pattern_without_a_patient_is_refused(pattern: str) -> None:
    with pytest.raises(InputError, match="--patient: expected a regular expression"):
        by_patient(pattern)


def test_a_split_keeps_a_patients_images_together() -> None:
    cases = [{"case": name} for name in OF_ONE]
    pattern = patient_pattern(OF_ONE)
    for seed in range(5):
        parts = split_by_name("", cases, OF_ONE, fraction=0.4, seed=seed, grouped=by_patient(pattern))
        assert shared_patients(parts, pattern) == []
        assert len(parts["validation"]) in (1, 2)  # a patient


def test_lists_that_part_a_patients_images_are_seen_through() -> None:
    parts = {"training": [{"case": "p01_t1"}], "validation": [{"case": "p01_t2"}, {"case": "p02_t1"}]}
    assert shared_patients(parts, patient_pattern(OF_ONE)) == ["p01"]
