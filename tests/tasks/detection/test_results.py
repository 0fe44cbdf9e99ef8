"""What is written and reported of the objects found in a case, and how they are scored."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from shared.images.reading import read_image
from shared.tasks.detection.results import DetectionScorer, DetectionWriter
from tests.running import assert_same_results, in_processes, report_results

NAMES = ["red", "white"]
# Corners (row1, column1, row2, column2), score and class: two sure ones, and one below the threshold of 0.4.
FOUND = torch.tensor([[2.0, 3, 12, 15, 0.9, 0], [14, 20, 28, 36, 0.8, 1], [4, 22, 10, 30, 0.2, 0]])


def result_of(folder: Path, case: str, found: torch.Tensor = FOUND) -> dict[str, Any]:
    """A case whose true objects are the two sure ones of FOUND."""
    path = folder / "in" / f"{case}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.arange(30 * 40, dtype=np.uint16).astype(np.uint8).reshape(30, 40)).save(path)
    label = FOUND[:2, [0, 1, 2, 3, 5]]
    return {
        "case": case, "files": {"image": read_image(path)}, "pred": found, "label": label, "network_seconds": 0.5
    }  # fmt: skip


def test_objects_are_written_as_corners_in_x_and_y_and_counted_from_the_threshold(tmp_path: Path) -> None:
    writer = DetectionWriter(tmp_path / "out", class_names=NAMES, threshold=0.4)
    figures = writer.process(result_of(tmp_path, "a/b"))
    assert figures == {"red": 1, "white": 1, "red/white": 1.0}
    content = json.loads((tmp_path / "out" / "a" / "b.json").read_text())
    assert (content["image"], content["width"], content["height"]) == ("b.png", 40, 30)
    assert content["boxes"] == [[3, 2, 15, 12], [20, 14, 36, 28], [22, 4, 30, 10]]
    assert content["labels"] == ["red", "white", "red"]
    assert content["scores"] == pytest.approx([0.9, 0.8, 0.2])
    assert content["counted"] == [True, True, False]
    assert (tmp_path / "out" / "overlays" / "a" / "b.png").is_file()
    assert writer.finished({"case": "a/b", "image": ""}) == figures
    writer.conclude([{"case": "a/b", "status": "ok"}, {"case": "c", "status": "failed"}])
    results = json.loads((tmp_path / "out" / "detections.json").read_text())
    assert [(r["image_id"], r["category_id"]) for r in results] == [("a/b", 1), ("a/b", 2), ("a/b", 1)]
    assert results[1]["bbox"] == [20, 14, 16, 14]  # x, y, width, height
    complete = json.loads((tmp_path / "out" / "coco.json").read_text())
    assert complete["images"] == [{"id": 1, "file_name": "a/b.png", "width": 40, "height": 30}]
    assert [one["bbox"] for one in complete["annotations"]] == [r["bbox"] for r in results[:2]]  # those counted


def test_widths_are_in_micrometres_where_pixels_have_a_size(tmp_path: Path) -> None:
    """Of 12 × 10 and 16 × 14 pixels of half a µm the roots are 5.48 and 7.48 µm."""
    writer, case = DetectionWriter(tmp_path / "out", class_names=NAMES, threshold=0.4), result_of(tmp_path, "a")
    case["files"] = {"image": replace(case["files"]["image"], pixel_size=0.5)}
    figures = writer.process(case)
    assert figures == {
        "red": 1, "white": 1, "red/white": 1.0, "pixel_size_um": 0.5, "red_um": 5.48, "white_um": 7.48
    }  # fmt: skip
    assert json.loads((tmp_path / "out" / "a.json").read_text())["pixel_size_um"] == 0.5
    assert writer.finished({"case": "a", "image": ""}) == figures


def test_an_object_is_counted_by_the_threshold_of_its_class_everywhere(tmp_path: Path) -> None:
    threshold = {"red": 0.15, "white": 0.85}  # both red ones pass, the white one of 0.8 does not
    writer = DetectionWriter(tmp_path / "out", class_names=NAMES, threshold=threshold)
    figures = writer.process(result_of(tmp_path, "a"))
    assert figures == {"red": 2, "white": 0, "red/white": None}
    assert json.loads((tmp_path / "out" / "a.json").read_text())["counted"] == [True, False, True]
    assert writer.finished({"case": "a", "image": ""}) == figures
    scorer = DetectionScorer(tmp_path / "scores", class_names=NAMES, threshold=threshold, pictures=False)
    scorer.conclude([{"case": "a", "status": "ok", **scorer.process(result_of(tmp_path, "a"))}])
    points = json.loads((tmp_path / "scores" / "metrics.json").read_text())["at_threshold"]
    assert (points["red"]["recall"], points["red"]["precision"], points["red"]["bias"]) == (1, 0.5, 1)
    assert (points["white"]["recall"], points["white"]["precision"]) == (0, None)
    assert points["white"]["counts_right"] == 0.8
    assert (points["all"]["recall"], points["all"]["precision"]) == (0.5, 0.5)


def test_right_missed_and_superfluous_objects_are_told_apart(tmp_path: Path) -> None:
    scorer = DetectionScorer(tmp_path / "out", class_names=NAMES, threshold=0.4)
    moved = FOUND.clone()
    moved[1, :4] = torch.tensor([0.0, 0, 5, 5])  # the white one is missed, and one is where nothing is
    assert scorer.process(result_of(tmp_path, "a")) == {
        "red_true": 1, "red_found": 1, "white_true": 1, "white_found": 1, "right": 2, "missed_or_wrong": 0,
        "too_many": 0,
    }  # fmt: skip
    figures = scorer.process(result_of(tmp_path, "b", moved))
    assert (figures["right"], figures["missed_or_wrong"], figures["too_many"]) == (1, 1, 1)


@pytest.mark.parametrize(
    "make",
    [
        partial(DetectionWriter, class_names=NAMES, threshold=0.4),
        partial(DetectionScorer, class_names=NAMES, threshold=0.4, worst=2),
    ],
    ids=["writer", "scorer"],
)
def test_two_processes_give_the_files_of_one(make: Any, tmp_path: Path) -> None:
    """Of five cases the two worst are both in the share of one process, which is not the first."""
    found = [FOUND, FOUND[:0], FOUND, FOUND[:1], FOUND]
    results = [result_of(tmp_path, str(number), objects) for number, objects in enumerate(found)]
    report_results(make, results, tmp_path / "one")
    in_processes(2, report_results, make, results, tmp_path / "two")
    assert_same_results(tmp_path / "one", tmp_path / "two")


def test_without_pictures_none_are_drawn_and_none_are_missed(tmp_path: Path) -> None:
    options: dict[str, Any] = {"class_names": NAMES, "threshold": 0.4}
    plain, drawing = (DetectionWriter(tmp_path / "out", **options, pictures=drawn) for drawn in (False, True))
    figures = plain.process(result_of(tmp_path, "a"))
    assert [path.name for path in (tmp_path / "out").iterdir()] == plain.targets("a") == ["a.json"]
    assert plain.finished({"case": "a"}) == figures
    assert drawing.finished({"case": "a"}) is None
    scorer = DetectionScorer(tmp_path / "scores", **options, pictures=False)
    scorer.conclude([{"case": "a", "status": "ok", **scorer.process(result_of(tmp_path, "a"))}])
    assert [path.name for path in (tmp_path / "scores").iterdir()] == scorer.summaries == ["metrics.json"]
