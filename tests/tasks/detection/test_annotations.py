"""Boxes of the same objects, told in three formats, are read alike."""

import json
from pathlib import Path

import pytest
from PIL import Image

from shared.errors import InputError
from shared.tasks.detection.annotations import read_boxes

DATA = Path(__file__).parents[3] / "shared" / "data" / "bccd"
TRUE = {"a": [("red cell", [10.0, 20.0, 30.0, 60.0]), ("platelet", [0.0, 0.0, 8.0, 8.0])], "empty": []}
SIZE = (100, 80)  # width, height


def images(folder: Path) -> None:
    folder.mkdir(parents=True)
    for name in TRUE:
        Image.new("RGB", SIZE).save(folder / f"{name}.png")


def voc(root: Path) -> Path:
    images(root / "JPEGImages")
    (root / "Annotations").mkdir()
    for name, objects in TRUE.items():
        told = "".join(
            f"<object><name>{label}</name><bndbox><xmin>{x1}</xmin><ymin>{y1}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax>"
            "</bndbox></object>"
            for label, (x1, y1, x2, y2) in objects
        )
        text = f"<annotation><filename>{name}.jpg</filename>{told}</annotation>"  # the ending is another
        (root / "Annotations" / f"{name}.xml").write_text(text, encoding="utf-8")
    return root


def yolo(root: Path) -> Path:
    images(root / "images")
    (root / "labels").mkdir()
    (root / "classes.txt").write_text("platelet\nred cell\n", encoding="utf-8")
    lines = [
        f"{['platelet', 'red cell'].index(label)} {(x1 + x2) / 2 / SIZE[0]} {(y1 + y2) / 2 / SIZE[1]} "
        f"{(x2 - x1) / SIZE[0]} {(y2 - y1) / SIZE[1]}"
        for label, (x1, y1, x2, y2) in TRUE["a"]
    ]
    (root / "labels" / "a.txt").write_text("\n".join(lines), encoding="utf-8")  # none for the empty image
    return root


def coco(root: Path) -> Path:
    images(root / "images")
    content = {
        "images": [{"id": i, "file_name": f"{name}.png"} for i, name in enumerate(TRUE)],
        "categories": [{"id": 3, "name": "red cell"}, {"id": 7, "name": "platelet"}],
        "annotations": [
            {"image_id": 0, "category_id": {"red cell": 3, "platelet": 7}[label], "bbox": [x1, y1, x2 - x1, y2 - y1]}
            for label, (x1, y1, x2, y2) in TRUE["a"]
        ],
    }
    (root / "annotations.json").write_text(json.dumps(content), encoding="utf-8")
    return root


@pytest.mark.parametrize("layout", [voc, yolo, coco])
def test_every_layout_is_found_out_and_read_alike(layout: type, tmp_path: Path) -> None:
    found = read_boxes(layout(tmp_path / "data"))
    assert [image.case for image in found] == ["a", "empty"]
    for image in found:
        assert image.image.is_file()
        assert image.classes == [label for label, _ in TRUE[image.case]]
        for given, (_, box) in zip(image.boxes, TRUE[image.case]):
            assert given == pytest.approx(box)


def test_a_broken_annotation_and_a_missing_image_are_named(tmp_path: Path) -> None:
    root = voc(tmp_path / "voc")
    (root / "JPEGImages" / "a.png").unlink()
    with pytest.raises(InputError, match=r"a\.xml: expected its image in "):
        read_boxes(root)
    (root / "Annotations" / "a.xml").write_text("<annotation><object>", encoding="utf-8")
    with pytest.raises(InputError, match=r"a\.xml: expected a PASCAL VOC annotation"):
        read_boxes(root)
    other = yolo(tmp_path / "yolo")
    (other / "labels" / "a.txt").write_text("5 0.1 0.1 0.1 0.1", encoding="utf-8")
    with pytest.raises(InputError, match=r"a\.txt: expected lines of a class and four numbers"):
        read_boxes(other)


def test_no_image_outside_the_data_set_is_read(tmp_path: Path) -> None:
    root = voc(tmp_path / "data")
    Image.new("RGB", SIZE).save(tmp_path / "secret.png")
    (root / "Annotations" / "b.xml").write_text(
        "<annotation><filename>../../secret.png</filename></annotation>", encoding="utf-8"
    )
    with pytest.raises(InputError, match=r"b\.xml: expected its image in "):
        read_boxes(root)


def test_a_folder_of_no_layout_and_one_of_two_are_refused(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="got none of them"):
        read_boxes(tmp_path / "none")
    voc(tmp_path / "two")
    (tmp_path / "two" / "all.json").write_text('{"images": [], "annotations": [], "categories": []}', encoding="utf-8")
    with pytest.raises(InputError, match="got PASCAL VOC and COCO"):
        read_boxes(tmp_path / "two")


@pytest.mark.skipif(not DATA.is_dir(), reason="the BCCD data are not beside the checkout")
def test_the_blood_cells_are_read() -> None:
    found = read_boxes(DATA)
    assert len(found) == 292
    assert {name for image in found for name in image.classes} == {"RBC", "WBC", "Platelets"}
    assert all(len(image.boxes) == len(image.classes) for image in found)
