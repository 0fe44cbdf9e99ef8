import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco

from shared.errors import InputError
from shared.tasks.instances.cases import (
    count_instances,
    draw_coco_ids,
    is_coco_label,
    select_instances,
    split_instances,
)  # fmt: skip

MASK = np.zeros((12, 16), dtype=np.uint8)
MASK[5:9, 2:7] = 1


def coco_dataset(folder: Path, count: int = 4) -> Path:
    """Each image has a polygon (a rectangle), run lengths in both forms, a crowd, and another image's object."""
    (folder / "images").mkdir(parents=True)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    packed = coco.encode(np.asfortranarray(MASK))
    for i in range(count):
        Image.fromarray(np.full((12, 16), i, dtype=np.uint8)).save(folder / "images" / f"cell_{i}.png")
        images.append({"id": 10 + i, "file_name": f"cell_{i}.png", "height": 12, "width": 16})
        shapes = [
            ([[9, 1, 14, 1, 14, 4, 9, 4]], 0),
            ({"size": [12, 16], "counts": packed["counts"].decode()}, 0),
            ({"size": [12, 16], "counts": [12 * 15 + 6, 6]}, 0),
            ({"size": [12, 16], "counts": [0, 12, 180]}, 1),
        ]
        for shape, crowd in shapes:
            annotations.append({"id": len(annotations), "image_id": 10 + i, "segmentation": shape, "iscrowd": crowd})
    text = json.dumps({"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "nucleus"}]})
    (folder / "annotations.json").write_text(text)
    return folder


def test_the_annotations_of_an_image_are_drawn_and_crowds_left_out(tmp_path: Path) -> None:
    cases = select_instances(coco_dataset(tmp_path / "data"))
    assert [case["case"] for case in cases] == [f"cell_{i}" for i in range(4)]
    assert is_coco_label(cases[0]["label"])
    ids = draw_coco_ids(cases[2]["label"])
    expected = np.zeros((12, 16), dtype=np.int32)
    expected[1:4, 9:14] = 1
    expected[MASK > 0] = 2
    expected[6:, 15] = 3
    np.testing.assert_array_equal(ids, expected)
    assert [count_instances(case["label"]) for case in cases] == [3] * 4


def test_a_coco_data_set_is_split_as_one_of_label_maps_is(tmp_path: Path) -> None:
    data = coco_dataset(tmp_path / "coco")
    maps = tmp_path / "maps"
    for part in ("images", "labels"):
        (maps / part).mkdir(parents=True)
        for i in range(4):
            Image.fromarray(np.zeros((12, 16), dtype=np.uint8)).save(maps / part / f"cell_{i}.png")
    split = {name: split_instances(folder, fraction=0.25, seed=3) for name, folder in (("coco", data), ("maps", maps))}
    for part in ("training", "validation"):
        names = [[Path(case["image"]).stem for case in split[name][part]] for name in ("coco", "maps")]
        assert names[0] == names[1] != []
        assert select_instances(data, part=part, fraction=0.25, seed=3) == split["coco"][part]
    assert not is_coco_label(split["maps"]["all"][0]["label"])


def test_what_is_missing_or_broken_is_told(tmp_path: Path) -> None:
    data = coco_dataset(tmp_path / "data")
    path = data / "annotations.json"
    content = json.loads(path.read_text())
    content["annotations"][0]["segmentation"] = "nonsense"
    (data / "other.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="one COCO JSON, got 2"):
        select_instances(data)
    path.unlink()
    with pytest.raises(InputError, match="annotation 0"):
        draw_coco_ids(select_instances(data)[0]["label"])
    (data / "images" / "cell_1.png").unlink()
    with pytest.raises(InputError, match=r"cell_1\.png, got no such file"):
        select_instances(data)
    with pytest.raises(InputError, match="one of training"):
        select_instances(coco_dataset(tmp_path / "whole"), part="test")
