"""What is written and told of a segmented case, with the first class and without, of pictures and of volumes."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from PIL import Image

from shared.images.file import ImageFile
from shared.images.reading import read_image
from shared.tasks.segmentation.results import SegmentationScorer, SegmentationWriter, Segmented
from tests.running import assert_same_results, in_processes, report_results

NAMES = ["membrane", "inside"]
# 4 × 6 pixels: 10 of membrane and 14 inside; the reference has one pixel more of membrane, and shares 9.
LABELS = np.array([[1, 1, 0, 1, 1, 1], [1, 1, 0, 1, 1, 1], [0, 0, 0, 0, 0, 0], [1, 1, 0, 0, 1, 1]], dtype=np.uint8)
REFERENCE = LABELS.copy()
REFERENCE[3, 3], REFERENCE[3, 4], REFERENCE[3, 5] = 1, 0, 0


def result(folder: Path, ending: str) -> dict[str, Any]:
    """A case as preprocessing, network and postprocessing leave it; the volume has voxels of 2 × 3 × 0.5 mm."""
    path = folder / f"a{ending}"
    array = np.arange(24, dtype=np.uint8).reshape(4, 6)
    if ending == ".png":
        Image.fromarray(array).save(path)
        labels, reference = LABELS, REFERENCE
    else:
        nib.save(nib.Nifti1Image(np.stack([array, array], axis=-1), np.diag([2, 3, 0.5, 1])), path)
        labels, reference = (np.stack([m, m], axis=-1) for m in (LABELS, REFERENCE))
    image = read_image(path)
    maps = {
        key: MetaTensor(torch.from_numpy(m.astype(np.float32))[None], affine=torch.as_tensor(image.affine))
        for key, m in (("pred", labels), ("label", reference))
    }
    return {"case": "a", "files": {"image": image}, **maps}


# 10 and 14 pixels; twice as many voxels of 3 mm³.
@pytest.mark.parametrize(
    ("ending", "membrane", "inside"),
    [(".png", ("membrane_px", 10), ("inside_px", 14)), (".nii.gz", ("membrane_mm3", 60), ("inside_mm3", 84))],
)
@pytest.mark.parametrize("included", [False, True])
def test_the_size_of_the_first_class_is_told_where_it_is_included(
    tmp_path: Path, ending: str, membrane: tuple[str, float], inside: tuple[str, float], included: bool
) -> None:
    writer = SegmentationWriter(tmp_path / "out", class_names=NAMES, include_background=included)
    case = result(tmp_path, ending)
    figures = writer.process(case)
    assert list(figures.items()) == ([membrane, inside] if included else [inside])
    # Read back from the file, as a resumed run does.
    assert writer.finished({"case": "a", "image": str(tmp_path / f"a{ending}")}) == figures


def test_areas_are_in_square_micrometres_too_where_pixels_have_a_size(tmp_path: Path) -> None:
    """10 and 14 pixels of 4 µm². A resumed run knows the size from the option, or the file of the image."""
    case = result(tmp_path, ".png")
    case["files"] = {"image": replace(case["files"]["image"], pixel_size=2.0)}
    writer = SegmentationWriter(tmp_path / "out", class_names=NAMES, include_background=True, pixel_size="2")
    figures = writer.process(case)
    assert figures == {
        "membrane_px": 10, "inside_px": 14, "membrane_um2": 40, "inside_um2": 56, "pixel_size_um": 2
    }  # fmt: skip
    assert writer.finished({"case": "a", "image": str(tmp_path / "a.png")}) == figures


@pytest.mark.parametrize(
    ("case", "image", "expected"),
    [
        ("a", "in/a.nii", "a.nii.gz"), ("a.b", "in/a.b.NII.GZ", "a.b.nii.gz"), ("s 1/t1", "s 1/t1", "s 1/t1.nii.gz"),
        ("x/a.v1", "in/x/a.v1.jpeg", "x/a.v1.png"), ("a", "in/a.TIF", "a.png"), ("a", "in/a.dcm", "a.nii.gz"),
    ],
)  # fmt: skip
def test_a_label_map_is_named_by_its_case(tmp_path: Path, case: str, image: str, expected: str) -> None:
    raster = expected.endswith(".png")
    ids = LABELS if raster else LABELS[..., None]
    file = ImageFile(Path(image), ids[None].astype(np.float32), np.eye(4), is_raster=raster)
    Segmented(case, file, ids, NAMES).save(tmp_path)
    assert (tmp_path / expected).is_file()
    assert (tmp_path / "overlays" / f"{case}.png").is_file()


@pytest.mark.parametrize(
    ("voxel_mm", "found", "doubted"),
    [(2.0, slice(10, 30), False), (4.0, slice(10, 12), True), (2.0, slice(0, 40), True)],
    ids=["a crop", "a whole head", "an answer in far pieces"],
)
def test_what_the_network_was_not_made_for_is_written_with_a_warning(
    tmp_path: Path, voxel_mm: float, found: slice, doubted: bool
) -> None:
    labels = np.zeros((40, 8, 8), dtype=np.uint8)
    labels[found, 2, 2] = 1
    image = ImageFile(tmp_path / "a.nii.gz", labels[None].astype(np.float32), np.diag([voxel_mm] * 3 + [1.0]))
    writer = SegmentationWriter(tmp_path / "out", class_names=NAMES, largest_mm=70)
    figures = writer.process({"case": "a", "files": {"image": image}, "pred": torch.as_tensor(labels)[None]})
    assert ("message" in figures) == doubted
    if doubted:
        assert figures["message"].startswith(f"{image.path}: expected a crop of at most 140 mm")
    assert (tmp_path / "out" / "a.nii.gz").is_file()


def test_a_pictures_label_map_is_a_picture_of_class_ids_and_not_of_their_values(tmp_path: Path) -> None:
    SegmentationWriter(tmp_path / "out", class_names=NAMES, include_background=True).process(result(tmp_path, ".png"))
    with Image.open(tmp_path / "out" / "a.png") as picture:
        assert (picture.mode, picture.size) == ("L", (6, 4))  # 8 bits; width, then height
        np.testing.assert_array_equal(np.asarray(picture), LABELS)


def test_the_first_class_is_scored_where_it_is_included(tmp_path: Path) -> None:
    case = result(tmp_path, ".png")
    with_it, without = (
        SegmentationScorer(tmp_path / "out", class_names=NAMES, include_background=included).process(case)
        for included in (True, False)
    )
    # Membrane 10 and 11 pixels, 9 shared; inside 14 and 13, 12 shared.
    assert with_it["jaccard_membrane"] == pytest.approx(9 / 12)
    assert with_it["jaccard_inside"] == pytest.approx(12 / 15)
    assert with_it["jaccard_mean"] == pytest.approx((9 / 12 + 12 / 15) / 2)
    assert without["jaccard_mean"] == without["jaccard_inside"] == pytest.approx(12 / 15)
    assert not [name for name in without if "membrane" in name]


@pytest.mark.parametrize(("ending", "unit"), [(".png", "px"), (".nii.gz", "mm")])
def test_distances_are_in_pixels_for_pictures_and_in_millimetres_for_volumes(
    tmp_path: Path, ending: str, unit: str
) -> None:
    scorer = SegmentationScorer(tmp_path / "out", class_names=NAMES, include_background=True)
    figures = scorer.process(result(tmp_path, ending))
    assert [name for name in figures if name.startswith("hd95")] == [f"hd95_{unit}_{n}" for n in ("mean", *NAMES)]
    # The farthest are two pixels of membrane at the lower right, one row below the line of membrane: more than one in
    # twenty. Rows are 1 pixel or 2 mm apart; no column of 3 mm is nearer.
    assert figures[f"hd95_{unit}_membrane"] == pytest.approx(1 if unit == "px" else 2)


def test_the_summary_holds_every_score_of_the_first_class(tmp_path: Path) -> None:
    scorer = SegmentationScorer(tmp_path / "out", class_names=NAMES, include_background=True)
    figures = scorer.process(result(tmp_path, ".png"))
    scorer.conclude([{"case": "a", "status": "ok", "seconds": 1, "message": "", **figures}])
    summary = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert (summary.pop("cases"), summary.pop("failed")) == (1, 0)
    metrics = ("dice", "jaccard", "hd95_px")
    assert summary.keys() == {f"{metric}_{name}" for metric in metrics for name in (*NAMES, "mean")}
    assert summary["jaccard_membrane"]["mean"] == pytest.approx(9 / 12)
    assert (tmp_path / "out" / "worst_1.png").is_file()


@pytest.mark.parametrize("kind", [SegmentationWriter, SegmentationScorer])
def test_two_processes_give_the_files_of_one(kind: Any, tmp_path: Path) -> None:
    """Of five cases the two worst are both in the share of one process, which is not the first."""
    results = []
    for number, wrong in enumerate((0, 12, 2, 8, 0)):
        case = result(tmp_path, ".png")
        case["pred"] = case["pred"].clone()
        case["pred"].view(-1)[:wrong] = 1 - case["pred"].view(-1)[:wrong]
        results.append({**case, "case": str(number), "network_seconds": 0.5})
    make = partial(kind, class_names=NAMES, **({"worst": 2} if kind is SegmentationScorer else {}))
    report_results(make, results, tmp_path / "one")
    in_processes(2, report_results, make, results, tmp_path / "two")
    assert_same_results(tmp_path / "one", tmp_path / "two")


@pytest.mark.parametrize("ending", [".png", ".nii.gz"])
def test_without_pictures_none_are_drawn_and_none_are_missed(tmp_path: Path, ending: str) -> None:
    out, case = tmp_path / "out", {"case": "a", "image": str(tmp_path / f"a{ending}")}
    plain, drawing = (SegmentationWriter(out, class_names=NAMES, pictures=drawn) for drawn in (False, True))
    figures = plain.process(result(tmp_path, ending))
    assert not (out / "overlays").exists()
    assert plain.targets("a") == [name for name in drawing.targets("a") if not name.startswith("overlays")]
    assert plain.finished(case) == figures
    assert drawing.finished(case) is None
    scorer = SegmentationScorer(tmp_path / "scores", class_names=NAMES, pictures=False)
    rows = [{"case": "a", "status": "ok", **scorer.process(result(tmp_path, ending))}]
    scorer.conclude(rows)
    assert [path.name for path in (tmp_path / "scores").iterdir()] == scorer.summaries == ["metrics.json"]
