"""How unsure a segmentation is: entropies, their files, and the calibration of what it is sure of."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import tifffile
import torch

from shared.images.file import ImageFile
from shared.samples import Sample
from shared.tasks.segmentation.probabilities import KeepProbabilitiesd
from shared.tasks.segmentation.results import SegmentationScorer, Segmented
from shared.tasks.segmentation.uncertainty import (
    RANGE,
    KeepUncertaintyd,
    best_temperature,
    calibration_error,
    entropy,
)


def test_the_entropy_is_0_of_the_certain_and_1_of_the_undecided() -> None:
    certain, undecided, half = [1.0, 0, 0, 0], [0.25] * 4, [0.5, 0.5, 0, 0]  # half: log 2 of log 4
    found = entropy(torch.tensor([certain, undecided, half]).T)
    np.testing.assert_allclose(found, [0, 1, 0.5], atol=1e-6)


def test_a_sample_has_what_it_was_asked_for_and_no_more() -> None:
    sample: Sample = {"pred": torch.tensor([[0.0, 4.0], [0.0, 0.0]])}
    assert set(KeepUncertaintyd("pred")(sample)) == {"pred"}
    unsure = KeepUncertaintyd("pred", enabled=True)(sample)["uncertainty"]
    assert unsure.dtype == np.uint16
    assert unsure[0] == 65535
    assert unsure[1] < 0.2 * 65535  # of 0.982 and 0.018: 0.13
    sure = KeepUncertaintyd("pred", confidence=True)(sample)["confidence"]
    np.testing.assert_allclose(sure, [0.5, 1 / (1 + np.exp(-4))], rtol=1e-6)


def test_a_temperature_divides_what_is_said_and_not_what_would_be_best() -> None:
    sample: Sample = {"pred": torch.tensor([[0.0, 4.0], [0.0, 0.0]]), "label": torch.tensor([[1, 0]])}
    hot = KeepUncertaintyd("pred", confidence=True, temperature=2.0)(sample)
    np.testing.assert_allclose(hot["confidence"], [0.5, 1 / (1 + np.exp(-2))], rtol=1e-6)
    assert hot["temperature"] == KeepUncertaintyd("pred", confidence=True)(sample)["temperature"]
    kept = KeepProbabilitiesd("pred", enabled=True, temperature=2.0)(sample)["probabilities"]
    np.testing.assert_allclose(kept[0] / 65535, hot["confidence"], atol=1e-4)


@pytest.mark.parametrize("true", [0.5, 1.0, 3.0])
def test_the_best_temperature_is_that_by_which_labels_were_drawn(true: float) -> None:
    logits = 3 * torch.randn(4, 300, 200, generator=torch.Generator().manual_seed(0))
    drawn = (logits / true).softmax(dim=0).flatten(1).T
    label = drawn.multinomial(1, generator=torch.Generator().manual_seed(1)).reshape(300, 200)
    assert best_temperature(logits, label) == pytest.approx(true, rel=0.07)


def test_what_is_always_right_cannot_be_too_sure() -> None:
    logits = torch.tensor([[0.0, 2.0], [1.0, 0.0]])
    assert best_temperature(logits, torch.tensor([1, 0])) == pytest.approx(1 / RANGE, rel=0.01)


def test_confidence_that_is_accuracy_has_no_error_and_boasting_has_the_difference() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.5, 1, 200_000)
    # Right as often as it says: of 15 bins of some 25,000 each the error is about 1 / sqrt(25,000) · 0.4, 0.003.
    assert calibration_error(confidence, rng.uniform(size=confidence.size) < confidence) < 0.006
    assert calibration_error(np.ones(4), np.array([True, True, True, False])) == pytest.approx(0.25)
    assert np.isnan(calibration_error(np.ones(0), np.ones(0, dtype=bool)))


@pytest.mark.parametrize("is_raster", [False, True], ids=["volume", "raster"])
def test_the_file_holds_0_to_1_on_the_images_grid(tmp_path: Path, is_raster: bool) -> None:
    shape = (4, 5) if is_raster else (4, 5, 3)
    image = ImageFile(tmp_path / "image", np.zeros((1, *shape), dtype=np.float32), np.eye(4), is_raster=is_raster)
    unsure = np.zeros(shape, dtype=np.uint16)
    unsure[1, 2] = 65535
    labels = np.zeros(shape, dtype=np.uint8)
    Segmented("case", image, labels, ["a", "b"], uncertainty=unsure).save(tmp_path, pictures=False)
    if is_raster:
        stored = tifffile.imread(tmp_path / "case_uncertainty.tif")
    else:
        stored = np.asarray(nib.Nifti1Image.from_filename(tmp_path / "case_uncertainty.nii.gz").dataobj)
    assert stored.shape == shape
    np.testing.assert_allclose(stored, unsure / 65535, atol=1e-6)


def scored(folder: Path, pred: list[int], reference: list[int], confidence: list[float], **options: bool) -> float:
    """The calibration error of a row of voxels."""
    shape = (len(pred), 1, 1)
    image = ImageFile(folder / "i", np.zeros((1, *shape), dtype=np.float32), np.eye(4))
    result = {
        "case": "case", "files": {"image": image}, "pred": torch.tensor(pred).reshape(1, *shape),
        "label": torch.tensor(reference).reshape(1, *shape), "confidence": np.array(confidence).reshape(shape),
    }  # fmt: skip
    scorer = SegmentationScorer(folder, class_names=["a", "b", "c"], pictures=False, **options)
    return float(scorer.process(result)["ece"])


def test_the_scorer_counts_the_voxels_of_either_map_alone(tmp_path: Path) -> None:
    # Of three voxels, all held for certain, one is right.
    assert scored(tmp_path, [0, 1, 1, 0], [0, 1, 0, 1], [0.2, 1, 1, 1]) == pytest.approx(2 / 3, abs=1e-4)


def test_a_class_that_the_reference_lacks_is_wrong_only_where_the_reference_has_another(tmp_path: Path) -> None:
    pred, reference, confidence = [2, 2, 1, 1], [0, 1, 1, 1], [1.0] * 4
    # Without the first voxel, which nobody has looked at, one of three is wrong; with it, two of four.
    assert scored(tmp_path, pred, reference, confidence, only_in_reference=True) == pytest.approx(1 / 3, abs=1e-4)
    assert scored(tmp_path, pred, reference, confidence) == pytest.approx(1 / 2, abs=1e-4)
