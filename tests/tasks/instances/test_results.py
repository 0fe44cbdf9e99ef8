import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pycocotools import mask as coco

from shared.errors import InputError
from shared.images.reading import read_image
from shared.tasks.instances.results import InstanceScorer, InstanceWriter
from tests.running import assert_same_results, in_processes, report_results

IDS = np.zeros((30, 40), dtype=np.int32)
IDS[2:10, 3:15], IDS[12:28, 20:26], IDS[20:23, 2:9] = 1, 2, 3


def result_of(folder: Path, case: str, pred: np.ndarray = IDS, **others: Any) -> dict[str, Any]:
    path = folder / "in" / f"{case}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((60 * (IDS > 0) + 20).astype(np.uint8)).save(path)
    count = int(pred.max())
    return {
        "case": case, "files": {"image": read_image(path)}, "pred": torch.as_tensor(pred)[None],
        "scores": torch.linspace(0.9, 0.6, count), "labels": torch.zeros(count, dtype=torch.long), **others,
    }  # fmt: skip


def test_ids_table_and_overlay_are_written_and_figures_told(tmp_path: Path) -> None:
    writer = InstanceWriter(tmp_path / "out", class_names=["nucleus"])
    figures = writer.process(result_of(tmp_path, "a/b"))
    areas = [96, 96, 21]
    assert figures == {
        "count": 3, "mean_area_px": 71.0, "density_per_megapixel": 2500.0, "area_fraction": round(sum(areas) / 1200, 4)
    }  # fmt: skip
    with Image.open(tmp_path / "out" / "a" / "b.png") as stored:
        np.testing.assert_array_equal(np.asarray(stored), IDS)
    content = json.loads((tmp_path / "out" / "a" / "b.json").read_text())
    assert (content["image"], content["width"], content["height"]) == ("b.png", 40, 30)
    assert content["instances"][1] == {
        "id": 2,
        "box": [20, 12, 26, 28],
        "score": 0.75,
        "label": "nucleus",
        "area_px": 96,
    }
    assert {path.name for path in (tmp_path / "out").rglob("*.*")} == {"b.png", "b.json"}
    assert (tmp_path / "out" / "overlays" / "a" / "b.png").is_file()


def test_sizes_are_in_micrometres_too_where_pixels_have_a_size(tmp_path: Path) -> None:
    """96, 96 and 21 pixels of 0.25 µm² each; a circle of 24 µm² is 5.528 µm wide."""
    writer, case = InstanceWriter(tmp_path / "out", class_names=["nucleus"]), result_of(tmp_path, "a")
    case["files"] = {"image": replace(case["files"]["image"], pixel_size=0.5)}
    figures = writer.process(case)
    assert (figures["mean_area_um2"], figures["median_diameter_um"]) == (17.75, 5.53)
    content = json.loads((tmp_path / "out" / "a.json").read_text())
    assert content["pixel_size_um"] == 0.5
    assert [row["area_um2"] for row in content["instances"]] == [24, 24, 5.25]
    assert content["instances"][0]["diameter_um"] == 5.528
    assert writer.finished({"case": "a", "image": str(tmp_path / "in" / "a.png")}) == figures


def test_the_other_forms_are_written_where_asked_for(tmp_path: Path) -> None:
    writer = InstanceWriter(tmp_path / "out", class_names=["nucleus"], formats=["geojson", "coco"])
    for case in ("a", "b"):
        writer.process(result_of(tmp_path, case, IDS if case == "a" else IDS * 0))
    writer.conclude([{"case": case, "status": status} for case, status in (("a", "ok"), ("b", "ok"), ("c", "failed"))])
    assert len(json.loads((tmp_path / "out" / "a.geojson").read_text())["features"]) == 3
    assert json.loads((tmp_path / "out" / "b.geojson").read_text())["features"] == []
    results = json.loads((tmp_path / "out" / "instances.json").read_text())
    assert [(r["image_id"], r["category_id"], r["score"]) for r in results] == [
        ("a", 1, 0.9),
        ("a", 1, 0.75),
        ("a", 1, 0.6),
    ]
    for number, result in enumerate(results, start=1):
        np.testing.assert_array_equal(coco.decode(result["segmentation"]), number == IDS)
    complete = json.loads((tmp_path / "out" / "coco.json").read_text())
    assert [image["file_name"] for image in complete["images"]] == ["a.png", "b.png"]
    assert [(one["image_id"], one["area"]) for one in complete["annotations"]] == [(1, 96), (1, 96), (1, 21)]
    writer.conclude([{"case": "b", "status": "ok"}])
    assert json.loads((tmp_path / "out" / "instances.json").read_text()) == []
    with pytest.raises(InputError, match="--formats"):
        InstanceWriter(tmp_path, class_names=["nucleus"], formats=["svg"])


def test_a_finished_case_tells_its_figures_again_and_a_spoilt_one_is_none(tmp_path: Path) -> None:
    writer = InstanceWriter(tmp_path / "out", class_names=["nucleus"])
    figures = writer.process(result_of(tmp_path, "a"))
    case = {"case": "a", "image": str(tmp_path / "in" / "a.png")}
    assert writer.finished(case) == figures
    assert writer.finished({**case, "case": "b"}) is None
    asking_more = InstanceWriter(tmp_path / "out", class_names=["nucleus"], formats=["geojson"])
    assert asking_more.finished(case) is None
    path = tmp_path / "out" / "a.json"
    for spoilt in (path.read_text()[:50], "{}"):
        path.write_text(spoilt)
        assert writer.finished(case) is None


def test_a_result_never_replaces_the_image_it_comes_from(tmp_path: Path) -> None:
    writer = InstanceWriter(tmp_path / "in", class_names=["nucleus"])
    with pytest.raises(InputError, match="--output_dir"):
        writer.process(result_of(tmp_path, "a"))
    assert int(read_image(tmp_path / "in" / "a.png").values.max()) == 80


def test_scores_are_told_by_case_in_all_and_by_group(tmp_path: Path) -> None:
    table = tmp_path / "index.csv"
    table.write_text("id,modality\na,light\nb,light\nc,dark\n")
    scorer = InstanceScorer(tmp_path / "out", groups=table, worst=2)
    label = torch.as_tensor(IDS)[None]
    missed = np.where(IDS == 3, 0, IDS)
    rows = []
    for case, pred in (("a", IDS), ("images/b", missed), ("images/c", IDS * 0)):
        figures = scorer.process(result_of(tmp_path, case, pred, label=label))
        rows.append({"case": case, "status": "ok", **figures})
    assert [row["modality"] for row in rows] == ["light", "light", "dark"]
    assert [row["ap50"] for row in rows] == pytest.approx([1, 2 / 3, 0])
    assert [(row["true"], row["found"]) for row in rows] == [(3, 3), (3, 2), (3, 0)]
    scorer.conclude([*rows, {"case": "d", "status": "failed"}])
    content = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert (content["cases"], content["failed"]) == (4, 1)
    assert content["ap"]["mean"] == pytest.approx(5 / 9, abs=1e-6)
    groups = content["by_group"]
    assert {name: group["cases"] for name, group in groups.items()} == {"all": 3, "dark": 1, "light": 2}
    assert groups["light"]["ap50"] == pytest.approx(5 / 6, abs=1e-6)  # the mean of 1 and 2/3
    assert groups["light"]["pooled_ap50"] == pytest.approx(5 / 6, abs=1e-6)  # 5 of 6, none too many
    assert groups["all"]["pooled_ap50"] == pytest.approx(5 / 9, abs=1e-6)
    assert content["counts_right"] is None  # 5 are found of 9
    assert (tmp_path / "out" / "scores.png").is_file()
    assert (tmp_path / "out" / "worst.png").is_file()


def test_without_a_table_of_groups_all_cases_are_one(tmp_path: Path) -> None:
    scorer = InstanceScorer(tmp_path / "out", groups=tmp_path / "index.csv")
    figures = scorer.process(result_of(tmp_path, "a", label=torch.as_tensor(IDS)[None]))
    scorer.conclude([{"case": "a", "status": "ok", **figures}])
    content = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert set(content["by_group"]) == {"all"}
    assert content["counts_right"] == 0.6  # the least of three scores, of as many instances


@pytest.mark.parametrize(
    "make",
    [
        partial(InstanceWriter, class_names=["nucleus"], formats=["geojson", "coco"]),
        partial(InstanceScorer, worst=2),
    ],
    ids=["writer", "scorer"],
)
def test_two_processes_give_the_files_of_one(make: Any, tmp_path: Path) -> None:
    """Of five cases the two worst are both in the share of one process, which is not the first."""
    preds = [IDS, IDS * 0, IDS, np.where(IDS == 3, 0, IDS), IDS]
    label = torch.as_tensor(IDS)[None]
    results = [
        {**result_of(tmp_path, str(number), pred, label=label), "network_seconds": 0.5}
        for number, pred in enumerate(preds)
    ]
    report_results(make, results, tmp_path / "one")
    in_processes(2, report_results, make, results, tmp_path / "two")
    assert_same_results(tmp_path / "one", tmp_path / "two")


def test_without_pictures_none_are_drawn_and_none_are_missed(tmp_path: Path) -> None:
    plain, drawing = (
        InstanceWriter(tmp_path / "out", class_names=["nucleus"], pictures=drawn) for drawn in (False, True)
    )
    figures = plain.process(result_of(tmp_path, "a"))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(plain.targets("a"))
    assert not any(name.startswith("overlays") for name in plain.targets("a"))
    assert plain.finished({"case": "a"}) == figures
    assert drawing.finished({"case": "a"}) is None
    scorer = InstanceScorer(tmp_path / "scores", pictures=False)
    result = result_of(tmp_path, "a", label=torch.as_tensor(IDS)[None])
    scorer.conclude([{"case": "a", "status": "ok", **scorer.process(result)}])
    assert [path.name for path in (tmp_path / "scores").iterdir()] == scorer.summaries == ["metrics.json"]
