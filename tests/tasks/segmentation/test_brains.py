"""What is written, reported and scored of a segmented brain."""

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch

from shared.engine.report import CaseReport
from shared.errors import InputError
from shared.files import read_table
from shared.images.reading import read_image
from shared.tasks.segmentation.brains import BrainScorer, BrainWriter
from shared.tasks.segmentation.freesurfer import LUT, colours_of, tissues_of
from shared.tasks.segmentation.posteriors import Posterior

NAMES = ["background", "left_hippocampus", "csf", "right_hippocampus"]
VALUES = [0, 17, 24, 53]
VOLUMES, DICE = np.array([900.0, 30, 50, 20]), np.array([1.0, 0.9, 0.6, 0.3])  # of which three count: 0.6 on average


def labels_of() -> np.ndarray:
    labels = np.zeros((6, 5, 4), dtype=np.uint8)
    labels[1], labels[2], labels[4, :2] = 1, 2, 3
    return labels


def result(folder: Path) -> dict[str, Any]:
    """A case as preprocessing, network and postprocessing leave it."""
    path = folder / "head.nii.gz"
    nib.save(nib.Nifti1Image(np.arange(120, dtype=np.int16).reshape(6, 5, 4), np.diag([-2.0, 2, 3, 1])), path)
    pred = torch.as_tensor(labels_of())[None]
    return {"case": "head", "files": {"image": read_image(path)}, "pred": pred, "posterior": Posterior(VOLUMES, DICE)}


def writer(folder: Path, **options: Any) -> BrainWriter:
    return BrainWriter(folder / "out", class_names=NAMES, values=VALUES, **{"lowest_quality": 0.5} | options)


def stored(folder: Path, name: str) -> np.ndarray:
    return np.asarray(nib.Nifti1Image.from_filename(folder / "out" / name).dataobj)


def test_files_hold_the_ids_of_freesurfer_and_the_mask_all_but_csf(tmp_path: Path) -> None:
    writer(tmp_path, brain_mask=True).process(result(tmp_path))
    ids = np.array(VALUES)[labels_of()]
    np.testing.assert_array_equal(stored(tmp_path, "head.nii.gz"), ids)
    np.testing.assert_array_equal(stored(tmp_path, "head_brain_mask.nii.gz"), np.isin(ids, [17, 53]))


@pytest.mark.parametrize(
    "values", [[0, 17, 24], [0, 17, 17, 53], [-1, 17, 24, 53], [0, 17, 24, 256], ["0", 17, 24, 53]]
)
def test_ids_that_are_not_one_a_class_or_no_byte_are_refused(values: list, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--label_values: expected 4 different ids of 0 to 255, one a class"):
        BrainWriter(tmp_path / "out", class_names=NAMES, values=values, lowest_quality=0.5)


def test_the_brain_is_all_but_csf_and_what_is_within_the_skull_is_all(tmp_path: Path) -> None:
    figures = writer(tmp_path).process(result(tmp_path))
    assert figures == {
        "quality": pytest.approx(0.6), "brain_mm3": 50, "intracranial_mm3": 100, "left_hippocampus_mm3": 30,
        "csf_mm3": 50, "right_hippocampus_mm3": 20,
    }  # fmt: skip


@pytest.mark.parametrize(("lowest", "warned"), [(0.59, False), (0.61, True)])
def test_a_case_of_low_quality_is_warned_about_in_one_line(tmp_path: Path, lowest: float, warned: bool) -> None:
    figures = writer(tmp_path, lowest_quality=lowest).process(result(tmp_path))
    assert ("message" in figures) == warned
    if warned:
        assert "head.nii.gz: expected a head or a brain, got a quality of 0.60" in figures["message"]
        assert "\n" not in figures["message"]


def test_a_resumed_run_keeps_figures_and_warning_of_a_case_and_does_one_again_whose_mask_is_missing(
    tmp_path: Path,
) -> None:
    case = {"case": "head", "image": str(tmp_path / "head.nii.gz")}
    options: dict[str, Any] = {"output_dir": tmp_path / "out", "settings": {}}
    data = result(tmp_path)
    report = CaseReport([case], writer(tmp_path, brain_mask=True, lowest_quality=0.9), **options)
    report.begin()
    report.start_case()
    report.end_case(data)
    report.finish()
    (before,) = read_table(tmp_path / "out" / "summary.csv")
    again = CaseReport([case], writer(tmp_path, brain_mask=True), resume=True, **options)
    assert again.pending == []
    again.begin()
    again.finish()
    (after,) = read_table(tmp_path / "out" / "summary.csv")
    assert after == before
    assert "quality of 0.60" in after["message"]
    (tmp_path / "out" / "head_brain_mask.nii.gz").unlink()
    assert CaseReport([case], writer(tmp_path, brain_mask=True), resume=True, **options).pending == [case]


def test_structures_that_a_reference_lacks_are_not_scored(tmp_path: Path) -> None:
    reference = labels_of()
    reference[reference == 2] = 0  # no CSF drawn
    reference[4, 1] = 0  # of 8 voxels of the right hippocampus 4: Dice 2 · 4 / 12
    scorer = BrainScorer(tmp_path / "out", class_names=NAMES, values=VALUES, only_in_reference=True, pictures=False)
    scores = scorer.process({**result(tmp_path), "label": torch.as_tensor(reference)[None]})
    assert np.isnan(scores["dice_csf"])
    assert np.isnan(scores["jaccard_csf"])
    assert scores["dice_left_hippocampus"] == 1
    assert scores["dice_mean"] == pytest.approx((1 + 2 / 3) / 2)
    assert scores["quality"] == pytest.approx(0.6)


def test_both_sides_have_the_colour_of_freesurfers_table_and_others_one_too() -> None:
    assert colours_of([17, 53]) == ["#dcd814"] * 2  # 220, 216, 20
    assert len({*colours_of([*LUT])}) == len(LUT)
    assert all(len(colour) == 7 for colour in colours_of([1000, 77]))


def test_sides_and_what_looks_alike_are_of_one_tissue() -> None:
    ids = [0, 17, 53, 18, 24, 4, 15, 2, 99]
    background, left, right, amygdala, csf, ventricle, fourth, white, unknown = tissues_of(ids)
    assert left == right == amygdala
    assert ventricle == fourth
    assert len({background, left, csf, ventricle, white, unknown}) == 6
    assert {*tissues_of(ids)} == {*range(6)}
