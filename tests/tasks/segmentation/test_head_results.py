"""What is written and scored of heads, beside crops."""

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from shared.errors import InputError
from shared.images.reading import read_image
from shared.tasks.segmentation.head_results import HeadScorer, HeadWriter
from tests.running import read_picture, report_results

NAMES = ["background", "anterior", "posterior"]
SHAPE, SPACING = (60, 64, 60), 2.0  # a head of 120 mm and more; voxels of 8 mm³
# Of the left 40 voxels anterior and 60 posterior, of the right 50 and 70.
PARTS = {1: (15, 40, 40), 2: (15, 32, 60), 3: (40, 40, 50), 4: (40, 32, 70)}


def label_map() -> np.ndarray:
    labels = np.zeros(SHAPE, np.uint8)
    for value, (x, y, count) in PARTS.items():
        labels[x : x + 5, y : y + count // 10, 30:32] = value
    return labels


def result(folder: Path, case: str = "head", label: np.ndarray | None = None, **more: Any) -> dict[str, Any]:
    path = folder / f"{case}.nii.gz"
    values = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    nib.save(nib.Nifti1Image(values, np.diag([-SPACING, SPACING, SPACING, 1])), path)
    image = read_image(path)
    maps = {"pred": label_map(), **({} if label is None else {"label": label})}
    affine = torch.as_tensor(image.affine)
    tensors = {key: MetaTensor(torch.from_numpy(m.astype(np.float32))[None], affine=affine) for key, m in maps.items()}
    return {"case": case, "files": {"image": image}, "network_seconds": 0.1, **tensors, **more}


def test_a_head_has_volumes_by_side_their_asymmetry(tmp_path: Path) -> None:
    writer = HeadWriter(tmp_path / "out", class_names=NAMES, largest_mm=70)
    figures = writer.process(result(tmp_path, is_head=True))
    assert figures == {
        "left_mm3": 800.0,
        "right_mm3": 960.0,
        "asymmetry_percent": -18.18,  # 200 (800 - 960) / 1760
        "left_anterior_mm3": 320.0,
        "left_posterior_mm3": 480.0,
        "right_anterior_mm3": 400.0,
        "right_posterior_mm3": 560.0,
    }  # and no warning, though it is as large as a head
    written = np.asarray(nib.Nifti1Image.from_filename(tmp_path / "out" / "head.nii.gz").dataobj)
    np.testing.assert_array_equal(written, label_map())


def test_a_crop_as_large_as_a_head_is_warned_about_as_before(tmp_path: Path) -> None:
    case = result(tmp_path)
    case["pred"] = case["pred"].clamp(max=2)
    figures = HeadWriter(tmp_path / "out", class_names=NAMES, largest_mm=70).process(case)
    assert list(figures) == ["anterior_mm3", "posterior_mm3"]  # 128 mm are less than twice as much
    figures = HeadWriter(tmp_path / "out", class_names=NAMES, largest_mm=60).process(case)
    assert "expected a crop of at most 120 mm" in figures["message"]


def test_a_resumed_run_has_the_figures_of_the_label_map(tmp_path: Path) -> None:
    results = [result(tmp_path, is_head=True)]
    report_results(lambda folder: HeadWriter(folder, class_names=NAMES), results, tmp_path / "out")
    case = {"case": "head", "image": str(tmp_path / "head.nii.gz")}
    first = HeadWriter(tmp_path / "elsewhere", class_names=NAMES).process(results[0])
    assert HeadWriter(tmp_path / "out", class_names=NAMES).finished(case) == first


def test_the_picture_shows_the_middle_of_the_head(tmp_path: Path) -> None:
    HeadWriter(tmp_path / "out", class_names=NAMES).process(result(tmp_path, is_head=True))
    rows, columns = read_picture(tmp_path / "out" / "overlays" / "head.png").shape[:2]
    # Three panels of 400 pixels in height, of some 74 mm from bottom to top (2 voxels, and 35 mm on either side): the
    # coronal one is 120 mm wide, all of the phantom, the sagittal one 90 mm, and both are seen magnified.
    assert rows > 400
    assert columns > 3 * 400


@pytest.mark.parametrize("whole", [False, True])
def test_each_side_is_scored_and_its_parts_where_the_reference_has_them(tmp_path: Path, whole: bool) -> None:
    reference = label_map()
    reference[15, 32, 30] = 0  # one voxel of the 60 of the left posterior part
    if whole:
        reference = np.array([0, 5, 5, 6, 6], np.uint8)[reference]
    scorer = HeadScorer(tmp_path / "out", class_names=NAMES, pictures=False)
    scores = scorer.process(result(tmp_path, label=reference, is_head=True))
    assert scores["dice_left"] == pytest.approx(2 * 99 / 199)
    assert scores["dice_right"] == 1
    if whole:
        assert scores["dice_mean"] == pytest.approx((scores["dice_left"] + 1) / 2)
        assert "dice_left_posterior" not in scores
    else:
        assert scores["dice_left_posterior"] == pytest.approx(2 * 59 / 119)
        assert scores["dice_mean"] == pytest.approx((2 * 59 / 119 + 3) / 4)


def test_heads_and_crops_are_summed_up_each_by_its_own_metrics(tmp_path: Path) -> None:
    crop = result(tmp_path, "crop", np.minimum(label_map(), 2))
    crop["pred"] = crop["pred"].clamp(max=2)
    results = [crop, result(tmp_path, "head", label_map(), is_head=True)]
    report_results(lambda folder: HeadScorer(folder, class_names=NAMES), results, tmp_path / "out")
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["dice_mean"]["count"] == 2
    assert metrics["dice_anterior"]["count"] == metrics["dice_left"]["count"] == 1


def test_a_label_map_of_a_head_beside_a_crop_is_refused(tmp_path: Path) -> None:
    case = result(tmp_path, label=label_map())
    case["pred"] = case["pred"].clamp(max=2)
    with pytest.raises(InputError, match="expected a label map of class ids 0 to 2, as it is a crop, got 4"):
        HeadScorer(tmp_path / "out", class_names=NAMES).process(case)
