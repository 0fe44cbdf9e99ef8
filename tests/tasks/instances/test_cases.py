import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco

from shared.errors import InputError
from shared.tasks.instances.cases import count_instances, draw_ids, is_drawn, select_instances, split_instances

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
    assert is_drawn(cases[0]["label"])
    ids = draw_ids(cases[2]["label"], (16, 12))
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
    assert not is_drawn(split["maps"]["all"][0]["label"])


def test_what_is_missing_or_broken_is_told(tmp_path: Path) -> None:
    data = coco_dataset(tmp_path / "data")
    path = data / "annotations.json"
    content = json.loads(path.read_text())
    content["annotations"][0]["segmentation"] = "nonsense"
    (data / "other.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"other\.json: expected images that no other entry names, got .*cell_0\.png"):
        select_instances(data)
    path.unlink()
    with pytest.raises(InputError, match="annotation 0"):
        draw_ids(select_instances(data)[0]["label"], (16, 12))
    (data / "images" / "cell_1.png").unlink()
    with pytest.raises(InputError, match=r"other\.json, image 11: expected its image in .*, got no cell_1\.png"):
        select_instances(data)
    with pytest.raises(InputError, match="one of training"):
        select_instances(coco_dataset(tmp_path / "whole"), part="test")


def maps(folder: Path, *names: str) -> Path:
    """Maps of one id, or pictures, by name below `folder`."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(MASK).save(folder / name)
    return folder


def pairs(cases: list[dict[str, str]], root: Path) -> dict[str, tuple[str, ...]]:
    return {
        case["case"]: tuple(Path(case[key]).relative_to(root).as_posix() for key in ("image", "label"))
        for case in cases
    }


def test_stardists_folders_are_read_from_the_root_and_its_test_set_neither_trains_nor_validates(tmp_path: Path) -> None:
    parts = {"train": "abcd", "test": "ef"}
    root = maps(
        tmp_path, *(f"{p}/{kind}/{n}.tif" for p, ns in parts.items() for n in ns for kind in ("images", "masks"))
    )
    found = pairs(select_instances(root), root)
    assert found["train/images/a"] == ("train/images/a.tif", "train/masks/a.tif")
    split = {part: [case["case"][-1] for case in cases] for part, cases in split_instances(root).items()}
    assert sorted(split["training"] + split["validation"]) == list("abcd")
    assert (split["test"], len(split["validation"])) == (["e", "f"], 1)
    assert pairs(select_instances(root, part="test"), root).keys() == {"test/images/e", "test/images/f"}


def test_cellposes_masks_beside_the_images_are_read_and_its_own_format_is_refused_with_the_way_out(
    tmp_path: Path,
) -> None:
    root = maps(tmp_path, "a.png", "a_masks.png", "b_img.png", "b_masks.tif", "c.tif", "c_cp_masks.png", "c_flows.tif")
    assert pairs(select_instances(root), root) == {
        "a": ("a.png", "a_masks.png"), "b_img": ("b_img.png", "b_masks.tif"), "c": ("c.tif", "c_cp_masks.png"),
    }  # fmt: skip
    maps(root, "d.png")
    (root / "d_seg.npy").write_bytes(b"")
    with pytest.raises(
        InputError, match=r"d\.png: expected masks beside it, d_masks\.png or \.tif, got d_seg\.npy; save"
    ):
        select_instances(root)
    alone = maps(tmp_path / "alone", "d.png")
    (alone / "d_seg.npy").write_bytes(b"")
    with pytest.raises(InputError, match=r"got d_seg\.npy; save them in Cellpose"):
        select_instances(alone)


def test_labelmes_shapes_are_drawn_as_pycocotools_draws_them(tmp_path: Path) -> None:
    maps(tmp_path, "a.png")
    polygon = [[9, 1], [14, 1], [14, 4], [9, 4]]
    shapes: list[dict[str, Any]] = [
        {"label": "nucleus", "points": polygon, "shape_type": "polygon"},
        {"label": "nucleus", "points": [[2, 5], [7, 9]], "shape_type": "rectangle"},
        {"label": "nucleus", "points": [[12, 8], [12, 10.4]], "shape_type": "circle"},
    ]
    content = {"shapes": shapes, "imagePath": "a.png", "imageWidth": 16, "imageHeight": 12}
    (tmp_path / "a.json").write_text(json.dumps(content))
    (case,) = select_instances(tmp_path)
    ids = draw_ids(case["label"], (16, 12))
    expected = coco.decode(coco.frPyObjects([[value for point in polygon for value in point]], 12, 16))[..., 0]
    np.testing.assert_array_equal(ids == 1, expected > 0)
    np.testing.assert_array_equal(ids == 2, MASK > 0)
    rows, columns = np.indices((12, 16))
    distance = np.hypot(rows + 0.5 - 8, columns + 0.5 - 12)
    assert (ids[distance < 1.6] == 3).all()  # half a pixel's diagonal from the border
    assert not (ids[distance > 3.2] == 3).any()
    assert count_instances(case["label"]) == 3


def test_coco_files_of_parts_are_read_from_the_root_and_obeyed(tmp_path: Path) -> None:
    for part in ("train", "valid"):
        coco_dataset(tmp_path / part, count=3)
        (tmp_path / part / "annotations.json").rename(tmp_path / part / "_annotations.coco.json")
    parts = split_instances(tmp_path)
    assert [case["case"] for case in parts["validation"]] == [f"valid/cell_{i}" for i in range(3)]
    assert [case["case"] for case in parts["training"]] == [f"train/cell_{i}" for i in range(3)]
