"""Files of probabilities: of volumes and of pictures, and what a run takes them for."""

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import tifffile
import torch

from shared.images.reading import read_image
from shared.tasks.segmentation.probabilities import KEY, ONE, KeepProbabilitiesd
from shared.tasks.segmentation.results import SegmentationWriter
from tests.tasks.segmentation.test_results import NAMES, result

ENDINGS = {".png": ".tif", ".nii.gz": ".nii.gz"}


def with_probabilities(folder: Path, ending: str) -> dict[str, Any]:
    """A case whose logits are kept as probabilities, those of its labels the higher."""
    case = result(folder, ending)
    labels = case["pred"].as_tensor()
    near = torch.rand(labels.shape, generator=torch.Generator().manual_seed(0))
    logits = torch.cat([(1 - labels) + near, labels + near.flip(1)])
    kept = KeepProbabilitiesd(keys="pred", enabled=True)({"pred": logits})
    return {**case, KEY: kept[KEY], "expected": logits.softmax(dim=0).numpy()}


def read_back(path: Path) -> np.ndarray:
    """(C, *S), of 0 to 1, as readers of these formats see them."""
    if path.name.endswith(".tif"):
        return np.asarray(tifffile.imread(path))
    return np.moveaxis(nib.Nifti1Image.from_filename(path).get_fdata(), -1, 0)


@pytest.mark.parametrize("ending", ENDINGS)
def test_probabilities_are_read_as_0_to_1_on_the_grid_of_the_image(tmp_path: Path, ending: str) -> None:
    case = with_probabilities(tmp_path, ending)
    SegmentationWriter(tmp_path / "out", class_names=NAMES, probabilities=True).process(case)
    path = tmp_path / "out" / f"a_probabilities{ENDINGS[ending]}"
    stored = read_back(path)
    np.testing.assert_allclose(stored, case["expected"], atol=0.51 / ONE)  # half a step, and float32's rounding
    np.testing.assert_allclose(stored.sum(axis=0), 1, atol=1.1 / ONE)
    if ending == ".nii.gz":
        volume, image = (nib.Nifti1Image.from_filename(p) for p in (path, tmp_path / "a.nii.gz"))
        np.testing.assert_array_equal(volume.affine, image.affine)
        assert volume.get_data_dtype() == np.uint16


def test_the_scale_of_a_nifti_input_does_not_scale_its_probabilities(tmp_path: Path) -> None:
    case = with_probabilities(tmp_path, ".nii.gz")
    scaled = nib.Nifti1Image(np.arange(48, dtype=np.int16).reshape(4, 6, 2), np.diag([2, 3, 0.5, 1]))
    scaled.header.set_slope_inter(0.25, 100)
    nib.save(scaled, tmp_path / "a.nii.gz")
    case["files"] = {"image": read_image(tmp_path / "a.nii.gz")}
    SegmentationWriter(tmp_path / "out", class_names=NAMES, probabilities=True).process(case)
    stored = read_back(tmp_path / "out" / "a_probabilities.nii.gz")
    np.testing.assert_allclose(stored, case["expected"], atol=0.51 / ONE)
    labels = nib.Nifti1Image.from_filename(tmp_path / "out" / "a.nii.gz")
    np.testing.assert_array_equal(labels.get_fdata(), case["pred"][0])


def test_a_trailing_axis_of_the_input_is_not_one_of_the_probabilities(tmp_path: Path) -> None:
    case = with_probabilities(tmp_path, ".nii.gz")
    nib.save(nib.Nifti1Image(np.arange(48.0).reshape(4, 6, 2, 1), np.diag([2, 3, 0.5, 1])), tmp_path / "a.nii.gz")
    case["files"] = {"image": read_image(tmp_path / "a.nii.gz")}
    SegmentationWriter(tmp_path / "out", class_names=NAMES, probabilities=True).process(case)
    assert nib.Nifti1Image.from_filename(tmp_path / "out" / "a_probabilities.nii.gz").shape == (4, 6, 2, 2)
    assert nib.Nifti1Image.from_filename(tmp_path / "out" / "a.nii.gz").shape == (4, 6, 2, 1)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_case_without_its_probabilities_is_not_finished_where_they_are_asked_for(tmp_path: Path, ending: str) -> None:
    case = {"case": "a", "image": str(tmp_path / f"a{ending}")}
    plain, full = (SegmentationWriter(tmp_path / "out", class_names=NAMES, probabilities=p) for p in (False, True))
    figures = plain.process(result(tmp_path, ending))
    assert plain.finished(case) == figures
    assert full.finished(case) is None
    full.process(with_probabilities(tmp_path, ending))
    assert full.finished(case) == figures
    assert {f"a_probabilities{ENDINGS[ending]}", f"a{ending}"} <= {*full.targets("a")}


def test_nothing_is_kept_where_it_is_not_enabled() -> None:
    logits = torch.zeros(2, 3, 3)
    out = KeepProbabilitiesd(keys="pred", enabled=False)({"pred": logits})
    assert out.keys() == {"pred"}
