"""Boxes of the same objects, told in three formats, are read alike."""

import json
import logging
import re
import shutil
from pathlib import Path
from typing import Any

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


def labelme(root: Path) -> Path:
    images(root)
    for name, objects in TRUE.items():
        shapes: list[dict[str, Any]] = [
            {"label": label, "points": [[x2, y1], [x1, y2]], "shape_type": "rectangle"}
            for label, (x1, y1, x2, y2) in objects
        ]
        content = {"shapes": shapes, "imagePath": f"{name}.png", "imageWidth": SIZE[0], "imageHeight": SIZE[1]}
        (root / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    return root


@pytest.mark.parametrize("layout", [voc, yolo, coco, labelme])
def test_every_layout_is_found_out_and_read_alike(layout: type, tmp_path: Path) -> None:
    found = read_boxes(layout(tmp_path / "data"))
    assert [image.case for image in found] == ["a", "empty"]
    for image in found:
        assert image.image.is_file()
        assert [one.label for one in image.objects] == [label for label, _ in TRUE[image.case]]
        for one, (_, box) in zip(image.objects, TRUE[image.case]):
            assert one.box == pytest.approx(box)


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
    with pytest.raises(
        InputError, match=r"a\.txt, line 1: expected one of the classes 0 \(platelet\), 1 \(red cell\), got 5"
    ):
        read_boxes(other)


def test_no_image_outside_the_data_set_is_read(tmp_path: Path) -> None:
    root = voc(tmp_path / "data")
    Image.new("RGB", SIZE).save(tmp_path / "secret.png")
    (root / "Annotations" / "b.xml").write_text(
        "<annotation><filename>../../secret.png</filename></annotation>", encoding="utf-8"
    )
    with pytest.raises(InputError, match=r"b\.xml: expected its image in "):
        read_boxes(root)


def moved(root: Path, folder: str) -> Path:
    """The same data set, its files with annotations moved beside the pictures in `folder`."""
    for path in [*root.glob("Annotations/*"), *root.glob("*.json"), *root.glob("JPEGImages/*"), *root.glob("images/*")]:
        (root / folder).mkdir(parents=True, exist_ok=True)
        shutil.move(path, root / folder / path.name)
    for name in ("Annotations", "JPEGImages", "images"):
        shutil.rmtree(root / name, ignore_errors=True)
    return root


@pytest.mark.parametrize("folder", [".", "train"])
@pytest.mark.parametrize("layout", [voc, coco])
def test_annotations_beside_the_pictures_are_read_from_the_root(layout: Any, folder: str, tmp_path: Path) -> None:
    """As labelImg and Roboflow write them."""
    found = read_boxes(moved(layout(tmp_path / "data"), folder))
    prefix = "" if folder == "." else f"{folder}/"
    assert [image.case for image in found] == [f"{prefix}a", f"{prefix}empty"]
    assert [one.box for one in found[0].objects] == [box for _, box in TRUE["a"]]


def test_cvats_annotations_are_read_from_the_root(tmp_path: Path) -> None:
    root = coco(tmp_path / "data")
    (root / "annotations").mkdir()
    (root / "annotations.json").rename(root / "annotations" / "instances_default.json")
    (root / "images").rename(root / "default")
    (root / "images").mkdir()
    (root / "default").rename(root / "images" / "default")
    assert [image.case for image in read_boxes(root)] == ["default/a", "default/empty"]
    assert [image.part for image in read_boxes(root)] == ["", ""]


def test_of_several_coco_files_classes_are_matched_by_name_and_each_is_the_part_of_its_folder(tmp_path: Path) -> None:
    root = tmp_path / "data"
    for part, ids in (("train", (3, 7)), ("valid", (7, 3))):
        moved(coco(root / part), ".")
        path = root / part / "annotations.json"
        content = json.loads(path.read_text())
        content["categories"] = [{"id": ids[0], "name": "red cell"}, {"id": ids[1], "name": "platelet"}]
        for one, number in zip(content["annotations"], ids):
            one["category_id"] = number
        path.unlink()
        path.with_name("_annotations.coco.json").write_text(json.dumps(content), encoding="utf-8-sig")
    found = {image.case: image for image in read_boxes(root)}
    assert {case: image.part for case, image in found.items()} == {
        "train/a": "training", "train/empty": "training", "valid/a": "validation", "valid/empty": "validation",
    }  # fmt: skip
    for case in ("train/a", "valid/a"):
        assert [one.label for one in found[case].objects] == ["red cell", "platelet"]


def test_a_picture_that_two_annotations_name_is_refused(tmp_path: Path) -> None:
    root = voc(tmp_path / "data")
    (root / "Annotations" / "copy.xml").write_text("<annotation><filename>a.png</filename></annotation>")
    with pytest.raises(InputError, match="expected each picture annotated once"):
        read_boxes(root)


def test_pictures_that_nothing_annotates_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = voc(tmp_path / "data")
    path = root / "Annotations" / "empty.xml"
    path.unlink()
    with caplog.at_level(logging.WARNING):
        assert [image.case for image in read_boxes(root)] == ["a"]
    picture = root / "JPEGImages" / "empty.png"
    assert caplog.messages == [f"{root}: 1 pictures without annotation left out, such as {picture}"]


def test_swapped_corners_are_put_in_order(tmp_path: Path) -> None:
    root = voc(tmp_path / "data")
    path = root / "Annotations" / "a.xml"
    path.write_text(path.read_text().replace("xmin", "X").replace("xmax", "xmin").replace("X", "xmax"))
    assert [one.box for one in read_boxes(root)[0].objects] == [box for _, box in TRUE["a"]]


@pytest.mark.parametrize("layout", [voc, yolo, coco])
def test_a_box_without_area_is_left_out_and_named(
    layout: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TRUE, "a", [*TRUE["a"], ("platelet", [50.0, 30.0, 50.0, 40.0])])
    with caplog.at_level(logging.WARNING):
        found = read_boxes(layout(tmp_path / "data"))
    assert [one.box for one in found[0].objects] == [pytest.approx(box) for _, box in TRUE["a"][:2]]
    place = {voc: "a.xml, object 3", yolo: "a.txt, line 3", coco: "annotations.json, annotation 2"}[layout]
    (message,) = caplog.messages
    assert f"{place}: left out, a box without area, [50" in message


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("<name>platelet</name>", "", "object 2: expected an object with a name"),
        ("<name>platelet</name>", "<name> </name>", "object 2: expected an object with a name"),
        ("<xmax>30.0</xmax>", "", "object 1: expected a bndbox of the numbers"),
        ("<xmax>30.0</xmax>", "<xmax>thirty</xmax>", "object 1: expected a bndbox of the numbers"),
        ("<xmax>30.0</xmax>", "<xmax>nan</xmax>", "object 1: expected four finite numbers"),
        ("<xmax>30.0</xmax>", "<xmax>300</xmax>", "object 1: expected coordinates within the picture, 100 × 80"),
        ("<annotation>", "<annotation><size><width>80</width><height>100</height></size>", "expected the width and"),
    ],
)
def test_what_is_wrong_with_an_object_is_reported_with_file_and_entry(
    before: str, after: str, words: str, tmp_path: Path
) -> None:
    root = voc(tmp_path / "data")
    path = root / "Annotations" / "a.xml"
    path.write_text(path.read_text().replace(before, after))
    with pytest.raises(InputError, match=rf"\A[^\n]*a\.xml(, |: ){re.escape(words)}[^\n]*\Z"):
        read_boxes(root)


def test_an_encoding_that_is_not_known_is_reported_with_its_file(tmp_path: Path) -> None:
    root = voc(tmp_path / "data")
    path = root / "Annotations" / "a.xml"
    path.write_text(f'<?xml version="1.0" encoding="klingon"?>{path.read_text()}')
    with pytest.raises(
        InputError, match=r"a\.xml: expected a PASCAL VOC annotation, got LookupError: unknown encoding"
    ):
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
    assert {one.label for image in found for one in image.objects} == {"RBC", "WBC", "Platelets"}
