"""Annotations that cannot be used: by name, what lies beside the picture a.png (80 × 60) in the data set's folder."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

Files = Mapping[str, str | bytes]  # by path below the data set
NAN = float("nan")
SIZE = (80, 60)
BOX = [5, 6, 20, 10]
POLYGON = [5, 6, 30, 6, 30, 20, 5, 20]


def bad_boxes(name: str) -> Iterator[tuple[str, Files]]:
    """Of detection, in each format. name: of a class that the bundle has."""
    for kind, files in _voc(name):
        yield f"voc, {kind}", files
    for kind, files in _yolo(name):
        yield f"yolo, {kind}", files
    for kind, content in [*_coco(), *_coco_boxes()]:
        yield f"coco, {kind}", {"coco.json": content}
    for kind, content in _labelme(name):
        yield f"labelme, {kind}", {"a.json": content}


def bad_outlines() -> Iterator[tuple[str, Files]]:
    """Of instances, in each format."""
    for kind, content in [*_coco(), *_coco_outlines()]:
        yield f"coco, {kind}", {"coco.json": content}
    for kind, content in _labelme("cell"):
        yield f"labelme, {kind}", {"a.json": content}


def _voc(name: str) -> Iterator[tuple[str, Files]]:
    def voc(box: str = "", *, label: str = name, size: str = "", file: str = "a.png") -> Files:
        bounds = box or "<xmin>5</xmin><ymin>6</ymin><xmax>25</xmax><ymax>16</ymax>"
        one = f"<object><name>{label}</name><bndbox>{bounds}</bndbox></object>"
        return {"a.xml": f"<annotation><filename>{file}</filename>{size}{one}</annotation>"}

    whole = str(voc()["a.xml"])
    yield "empty", {"a.xml": ""}
    yield "cut", {"a.xml": whole[:90]}
    yield "another root below it", {"a.xml": whole + whole}
    yield "no class", voc(label="")
    yield "unknown class", voc(label="elephant")
    yield "control characters", {"a.xml": whole.replace(name, "\x01")}
    yield "entity that is not defined", voc(label="&nbsp;")
    yield "entities that unfold", {"a.xml": _entities(whole, name)}
    yield "encoding that is unknown", {"a.xml": '<?xml version="1.0" encoding="klingon"?>' + whole}
    yield "encoding that it is not in", {"a.xml": whole.replace(name, "é").encode("latin-1")}
    yield "no box", {"a.xml": f"<annotation><object><name>{name}</name></object></annotation>"}
    yield "a corner is missing", voc("<xmin>5</xmin><ymin>6</ymin><xmax>25</xmax>")
    for text in ("", "nan", "inf", "1e400", "five", "5,5", "1e9", "-1e9", "٣٣٣"):
        yield f"corner {text!r}", voc(f"<xmin>{text}</xmin><ymin>6</ymin><xmax>25</xmax><ymax>16</ymax>")
    yield "another size", voc(size="<size><width>999</width><height>60</height></size>")
    yield "no picture", {"b.xml": str(voc(file="b.png")["a.xml"])}
    yield "a picture outside", {"b.xml": str(voc(file="../../secret.png")["a.xml"])}
    yield "a folder called XML", {"a.xml/x.png": b"", "Annotations/a.txt": ""}
    yield "lists unknown images", {**voc(), "Annotations/x": "", "ImageSets/Main/val.txt": "nobody\n"}
    yield "a list in no encoding", {**voc(), "ImageSets/Main/val.txt": b"\xff\xfe\xfd"}


def _entities(whole: str, name: str) -> str:
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    return f'<!DOCTYPE annotation [<!ENTITY e0 "x">{levels}]>{whole.replace(name, "&e11;")}'


def _yolo(name: str) -> Iterator[tuple[str, Files]]:
    def yolo(text: str | bytes, **others: str | bytes) -> Files:
        return {"images/a.png": "COPY", "labels/a.txt": text, "classes.txt": name, **others}

    for line in (
        "0 0.5 0.5 0.2", "0 0.5 0.5 0.2 0.2 0.1", "0 nan 0.5 0.2 0.2", "0 0.5 inf 0.2 0.2", "x 0.5 0.5 0.2 0.2",
        "0.5 0.5 0.5 0.2 0.2", "-1 0.5 0.5 0.2 0.2", "7 0.5 0.5 0.2 0.2", "nan 0.5 0.5 0.2 0.2", "0 40 30 20 10",
        "0 0,5 0,5 0,2 0,2", "0;0.5;0.5;0.2;0.2", "{}", "0", "1e400 0.5 0.5 0.2 0.2", "0 1e308 1e308 1e308 1e308",
    ):  # fmt: skip
        yield f"line {line!r}", yolo(line)
    yield "bytes", yolo(b"\xff\xfe\x00\xd8")
    yield "no names", {"images/a.png": "COPY", "labels/a.txt": "0 0.5 0.5 0.2 0.2"}
    yield "no names in it", yolo("0 0.5 0.5 0.2 0.2", **{"classes.txt": ""})
    yield "another's names", yolo("0 0.5 0.5 0.2 0.2", **{"classes.txt": "elephant"})
    yield "no picture", yolo("", **{"labels/b.txt": "0 0.5 0.5 0.2 0.2"})
    for kind, text in (
        ("cut", "names: [a, b"), ("a list", "- a\n- b"), ("text", "hello"), ("tabs", "names:\n\t- a"), ("nothing", ""),
        ("names that are a number", "names: 3"), ("names that are lists", "names: [[a], [b]]"),
        ("a name without text", "names: [null, {}]"), ("ids that are text", "names: {x: a}"),
        ("lists that are missing", f"names: [{name}]\ntrain: nowhere\nval: nowhere/else"),
        ("a list that is a number", f"names: [{name}]\ntrain: 5\nval: 6"),
        ("a path outside", f"path: /\nnames: [{name}]\ntrain: etc\nval: etc"),
        ("an anchor that unfolds", "a: &a [x]\n" + "".join(f"{c}: &{c} [*{b}]\n" for b, c in zip("abc", "bcd"))),
        ("code", "names: !!python/object/apply:os.system [echo]"), ("deep", "names: " + "[" * 5000),
    ):  # fmt: skip
        yield f"data.yaml: {kind}", {"images/a.png": "COPY", "labels/a.txt": "0 0.5 0.5 0.2 0.2", "data.yaml": text}


def _coco() -> Iterator[tuple[str, str | bytes]]:
    """What neither boxes nor outlines can do without."""
    yield "cut", coco()[:60]
    yield "without images", coco(images=[])
    for key in ("images", "annotations", "categories"):
        for kind, value in (("null", None), ("text", "x"), ("a number", 3), ("of numbers", [1]), ("an object", {})):
            changes: dict[str, Any] = {key: value}
            yield f"{key} {kind}", coco(None, **changes)
    for entry in (
        {"id": 1}, {"file_name": "a.png"}, {"id": None, "file_name": "a.png"}, {"id": [1], "file_name": "a.png"},
        {"id": 1, "file_name": 5}, {"id": 1, "file_name": ""}, {"id": 1, "file_name": "../../../etc/passwd"},
        {"id": 1, "file_name": "/etc/passwd"}, {"id": 1, "file_name": "gone.png"}, {"id": 1, "file_name": "x" * 5000},
        {"id": 1, "file_name": "\0"}, {"id": 1.5, "file_name": "a.png"}, {"id": 1, "file_name": "."},
        {"id": 1, "file_name": "a.png", "width": 999, "height": 60},
        {"id": 1, "file_name": "a.png", "width": "wide", "height": None},
    ):  # fmt: skip
        yield f"image {str(entry)[:50]}", coco(images=[entry])
    yield "an image again", coco(images=[{"id": 1, "file_name": "a.png"}] * 2)
    yield "a picture again", coco(images=[{"id": n, "file_name": "a.png"} for n in (1, 2)])
    ids: tuple[Any, ...] = (99, None, [1], {}, 1.5, "1")
    for number in ids:
        yield f"image_id {number}", coco({"image_id": number})


def _coco_boxes() -> Iterator[tuple[str, str | bytes]]:
    categories: tuple[Any, ...] = (99, None, [1], {}, True)
    for category in categories:
        yield f"category_id {category}", coco({"category_id": category})
    yield "an unknown class", coco(categories=[{"id": 1, "name": "elephant"}])
    for one in ({"id": 1}, {"name": "x"}, {"id": [1], "name": "x"}, {"id": 1, "name": None}):
        yield f"category {one}", coco(categories=[one])
    for box in (
        None, [], [1, 2, 3], [1, 2, 3, 4, 5], "1 2 3 4", ["1", 2, 3, 4], [None] * 4, [[1, 2], [3, 4]], {"x": 1}, 5,
        [NAN, 1, 2, 3], [1, 2, float("inf"), 3], [1e9, 1e9, 5, 5], [10**400, 1, 2, 3], [True, 1, 5, 5],
    ):  # fmt: skip
        yield f"bbox {str(box)[:40]}", coco({"bbox": box, "segmentation": None})


def _coco_outlines() -> Iterator[tuple[str, str | bytes]]:
    outlines: tuple[Any, ...] = (
        None, [], [[]], [[1, 2]], [[1, 2, 3, 4]], [POLYGON[:7]], "text", 5, [5], [["a"] * 6], [[None] * 6], [[NAN] * 6],
        [[1e9] * 6], [[10**400] * 6], [[0, 0, 1e300, 0, 0, 1e300]], [[[1, 2], [3, 4], [5, 6]]], {}, {"counts": [1]},
        {"size": [60, 80]}, {"size": [60, 80], "counts": [5]}, {"size": [80, 60], "counts": [4800]},
        {"size": [60, 80], "counts": [-1, 4801]}, {"size": [60, 80], "counts": [2400.5, 2399.5]},
        {"size": [10**5, 10**5], "counts": [10**10]}, {"size": [60, 80], "counts": "~~~~"},
        {"size": [60, 80], "counts": ""}, {"size": [60, 80], "counts": "é"}, {"size": "60", "counts": [4800]},
        {"size": [60, 80], "counts": None}, {"size": [-60, -80], "counts": [4800]},
    )  # fmt: skip
    for outline in outlines:
        yield f"segmentation {str(outline)[:50]}", coco({"segmentation": outline})


def coco(annotation: dict[str, Any] | None = None, **changes: Any) -> str:
    """A COCO file of one box in a.png, other in what is given."""
    one = {"id": 1, "image_id": 1, "category_id": 1, "bbox": BOX, "segmentation": [POLYGON], **(annotation or {})}
    content = {
        "images": [{"id": 1, "file_name": "a.png"}], "annotations": [one], "categories": [{"id": 1, "name": "RBC"}],
    }  # fmt: skip
    return json.dumps({**content, **changes})


def _labelme(name: str) -> Iterator[tuple[str, str | bytes]]:
    points = [[5, 6], [30, 6], [30, 20]]

    def labelme(shape: Any = None, **changes: Any) -> str:
        one = {"label": name, "points": points, "shape_type": "polygon"}
        shapes = [{**one, **shape} if isinstance(shape, dict) else shape]
        return json.dumps({"shapes": shapes, "imagePath": "a.png", **changes})

    shapes: tuple[Any, ...] = (
        {"label": None}, {"label": ""}, {"label": 5}, {"points": None}, {"points": []}, {"points": points[:2]},
        {"points": [[1]] * 3}, {"points": [["a", "b"]] * 3}, {"points": [[NAN, 1]] * 3}, {"points": [[1e9, 1]] * 3},
        {"points": "abc"}, {"points": [1, 2, 3]}, {"shape_type": "star"}, {"shape_type": 5},
        {"shape_type": ["polygon"]}, {"shape_type": "circle", "points": [[1, 1], [1e200, 1e200]]}, None, "text", 5, [],
    )  # fmt: skip
    for shape in shapes:
        yield f"shape {str(shape)[:50]}", labelme(shape)
    for path in ("gone.png", "../../../etc/passwd", "", "\0", "x" * 5000):
        yield f"imagePath {path[:20]!r}", labelme({}, imagePath=path).replace("a.png", path)
    yield "another size", labelme({}, imageWidth=999, imageHeight=60)
    yield "sizes that are text", labelme({}, imageWidth="wide", imageHeight=[])


def bad_json() -> Iterator[tuple[str, str | bytes]]:
    """What is no JSON of any use, whatever reads it."""
    yield "nothing", ""
    yield "cut", '{"images": [{'
    yield "deep", "[" * 100_000
    yield "deep objects", '{"a":' * 50_000
    yield "a number", "5"
    yield "a list", "[1, 2]"
    yield "null", "null"
    yield "text", "hello"
    yield "bytes", bytes(range(128, 256))
    yield "half a UTF-16", "{}".encode("utf-16")[:-1]
    yield "a long number", '{"images": [' + "9" * 5000 + '], "annotations": []}'
    yield "zeros", bytes(100)
