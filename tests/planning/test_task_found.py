"""The task of a data set is told by its layout and by what label maps hold."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from shared.errors import InputError
from shared.planning.task_found import task_of
from tests.running import write_picture

Maker = Callable[..., Path]


def label_maps(folder: Path, *, numbered: bool) -> Path:
    """Squares, as many as the picture's number and five more, of an id each or all of class 1."""
    for number in range(3):
        ids = np.zeros((40, 80), dtype=np.uint8)
        for place in range(number + 5):
            ids[4:8, 8 * place : 8 * place + 5] = place + 1 if numbered else 1
        write_picture(folder / "images" / f"{number}.png", ids + 9)
        write_picture(folder / "labels" / f"{number}.png", ids)
    return folder


def test_annotated_boxes_are_for_a_detection(boxed_dataset: Maker, tmp_path: Path) -> None:
    assert task_of(boxed_dataset(tmp_path / "data", count=2, class_names=["a", "b"])) == "detection"


@pytest.mark.parametrize(("outlines", "task"), [([], "detection"), ([[1, 1, 9, 1, 9, 9]], "instances")])
def test_coco_is_for_what_it_holds(outlines: list, task: str, tmp_path: Path) -> None:
    annotation = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 8, 8], "segmentation": outlines}
    content = {"images": [{"id": 1, "file_name": "a.png"}], "annotations": [annotation]}
    content["categories"] = [{"id": 1, "name": "cell"}]
    (tmp_path / "annotations.json").write_text(json.dumps(content), encoding="utf-8")
    write_picture(tmp_path / "a.png", np.eye(12, dtype=np.uint8))
    assert task_of(tmp_path) == task


@pytest.mark.parametrize("shape", [(8, 9, 7), (16, 18)])
def test_label_maps_of_classes_are_for_a_segmentation(
    shape: tuple[int, ...], phantom_dataset: Maker, tmp_path: Path
) -> None:
    assert task_of(phantom_dataset(tmp_path / "data", shape=shape)) == "segmentation"


def test_label_maps_that_count_are_for_instances(tmp_path: Path) -> None:
    assert task_of(label_maps(tmp_path / "numbered", numbered=True)) == "instances"
    assert task_of(label_maps(tmp_path / "classes", numbered=False)) == "segmentation"


def test_images_alone_are_for_nothing_that_is_not_asked_for(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", np.eye(12, dtype=np.uint8))
    with pytest.raises(InputError, match="--task registration"):
        task_of(tmp_path)
