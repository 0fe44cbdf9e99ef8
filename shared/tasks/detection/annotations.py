"""Reading data sets of boxes: PASCAL VOC, COCO and YOLO, found out by looking."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from PIL import Image

from shared.errors import InputError, one_line
from shared.images.reading import RASTER_ENDINGS, without_ending


@dataclass
class BoxedImage:
    """An image and the objects in it."""

    case: str
    image: Path
    boxes: list[list[float]]  # (x1, y1, x2, y2) in pixels
    classes: list[str]  # one a box


def read_boxes(dataset_dir: str | Path) -> list[BoxedImage]:
    """The images of a data set with their boxes, sorted by name; images without objects are among them.

    PASCAL VOC: Annotations/*.xml and JPEGImages/. COCO: a *.json with "images", "annotations" and "categories", and the
    images beside it or in images/. YOLO: labels/*.txt, images/, and classes.txt or the names in data.yaml.
    Raises InputError where it is none of these, an image is missing, or an annotation cannot be read.
    """
    root = Path(dataset_dir)
    layouts: dict[str, Callable[[Path], Iterator[BoxedImage]]] = {}
    if (root / "Annotations").is_dir():
        layouts["PASCAL VOC"] = _voc
    if (root / "labels").is_dir() and any((root / "labels").rglob("*.txt")):
        layouts["YOLO"] = _yolo
    if any(_is_coco(path) for path in root.glob("*.json")):
        layouts["COCO"] = _coco
    if len(layouts) != 1:
        raise InputError(
            root, expected="one of PASCAL VOC (Annotations/), COCO (*.json) or YOLO (labels/*.txt)",
            got=" and ".join(layouts) or "none of them", fix="check --dataset_dir",
        )  # fmt: skip
    ((layout, read),) = layouts.items()
    try:
        found = sorted(read(root), key=lambda image: image.case)
    except InputError:
        raise
    except Exception as error:  # parsers raise many kinds
        raise InputError(
            root, expected=f"{layout} annotations", got=one_line(error), fix="repair the annotation"
        ) from error
    if not found:
        raise InputError(root, expected="annotated images", got="none", fix="check --dataset_dir")
    return found


def _voc(root: Path) -> Iterator[BoxedImage]:
    for path in sorted((root / "Annotations").glob("*.xml")):
        try:
            tree = ElementTree.parse(path).getroot()
            named = tree.findtext("filename") or ""
            objects = list(tree.iter("object"))
            boxes = [
                [float(o.findtext(f"bndbox/{k}") or "") for k in ("xmin", "ymin", "xmax", "ymax")] for o in objects
            ]
        except (ElementTree.ParseError, ValueError) as error:
            raise InputError(
                path, expected="a PASCAL VOC annotation", got=one_line(error), fix="repair or remove it"
            ) from error
        image = _image_of(root / "JPEGImages", path.stem, named, path)
        yield BoxedImage(path.stem, image, boxes, [o.findtext("name") or "" for o in objects])


def _yolo(root: Path) -> Iterator[BoxedImage]:
    names = _yolo_names(root)
    labels = root / "labels"
    for image in sorted(p for p in (root / "images").rglob("*") if p.name.lower().endswith(RASTER_ENDINGS)):
        case = without_ending(image.relative_to(root / "images"))
        text = labels / f"{case}.txt"
        boxes, classes = [], []
        with Image.open(image) as picture:
            width, height = picture.size
        for line in text.read_text(encoding="utf-8").splitlines() if text.is_file() else []:
            try:
                number, *values = line.split()
                x, y, w, h = (float(value) for value in values[:4])
                classes.append(names[int(number)])
            except (ValueError, IndexError) as error:
                raise InputError(
                    text,
                    expected="lines of a class and four numbers",
                    got=repr(line),
                    fix="repair the line, or the names",
                ) from error
            boxes.append([(x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height])
        yield BoxedImage(case.as_posix(), image, boxes, classes)


def _yolo_names(root: Path) -> list[str]:
    if (root / "classes.txt").is_file():
        lines = (root / "classes.txt").read_text(encoding="utf-8").splitlines()
        return [line.strip() for line in lines if line.strip()]
    if (root / "data.yaml").is_file():
        import yaml

        names = yaml.safe_load((root / "data.yaml").read_text(encoding="utf-8"))["names"]
        return [names[i] for i in sorted(names)] if isinstance(names, dict) else list(names)
    raise InputError(
        root, expected="classes.txt or data.yaml with names", got="neither", fix="add the names of the classes"
    )


def _coco(root: Path) -> Iterator[BoxedImage]:
    for path in sorted(p for p in root.glob("*.json") if _is_coco(p)):
        content = json.loads(path.read_text(encoding="utf-8"))
        names = {category["id"]: category["name"] for category in content["categories"]}
        objects: dict[int, list[dict]] = {image["id"]: [] for image in content["images"]}
        for annotation in content["annotations"]:
            objects[annotation["image_id"]].append(annotation)
        for entry in content["images"]:
            folder = root / "images" if (root / "images").is_dir() else root
            image = _image_of(folder, without_ending(Path(entry["file_name"])).as_posix(), entry["file_name"], path)
            boxes = [[x, y, x + w, y + h] for x, y, w, h in (o["bbox"] for o in objects[entry["id"]])]
            classes = [names[o["category_id"]] for o in objects[entry["id"]]]
            yield BoxedImage(without_ending(Path(entry["file_name"])).as_posix(), image, boxes, classes)


def _is_coco(path: Path) -> bool:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return False
    return isinstance(content, dict) and {"images", "annotations", "categories"} <= content.keys()


def _image_of(folder: Path, stem: str, named: str, annotation: Path) -> Path:
    """The image that an annotation names, or else that of its own name; none outside `folder`."""
    for name in (named, *(f"{stem}{ending}" for ending in RASTER_ENDINGS)):
        path = folder / name
        if name and path.is_file() and path.resolve().is_relative_to(folder.resolve()):
            return path
    raise InputError(
        annotation, expected=f"its image in {folder}", got="none", fix="add the image or remove the annotation"
    )
