"""COCO's annotations: parsed by pycocotools, each entry checked before that touches it."""

import contextlib
import io
from collections.abc import Hashable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn, TypedDict

import numpy as np

from shared.errors import InputError
from shared.files import read_json, visible_files
from shared.images.boxes import Size, check_size, checked_box, finite_numbers
from shared.images.layouts import image_named, is_beside_picture, part_named
from shared.images.outlines import box_around, check_outline

KEYS = {"images", "annotations"}  # that every such file has


class CocoImage(TypedDict, total=False):
    """The entry of an image, of which `id` and `file_name` have been checked."""

    id: Hashable
    file_name: str
    width: object
    height: object


class CocoAnnotation(TypedDict, total=False):
    """The entry of an annotation, of which `image_id` has been checked; the rest is where it is used."""

    id: Hashable
    image_id: Hashable
    category_id: object
    bbox: object
    segmentation: object
    iscrowd: object


class CocoFile:
    """The images of a COCO file, and what is annotated in each.

    Raises InputError, here and in its methods, that names the file and the image or annotation that cannot be used.
    """

    def __init__(self, path: Path, content: Mapping[str, object]) -> None:
        from pycocotools.coco import COCO

        self.path = path
        self._check(content)
        self.index = COCO()
        annotations = [{"id": number, **entry} for number, entry in enumerate(self._entries(content, "annotations"))]
        self.index.dataset = {"images": content["images"], "annotations": annotations}
        with contextlib.redirect_stdout(io.StringIO()):  # it prints what it does
            self.index.createIndex()
        categories = self._entries(content, "categories")
        self.names = {_key(one, "id"): str(one["name"]) for one in categories if "name" in one}
        self.subset = path.stem.partition("_")[2] or path.stem  # of instances_default.json, as COCO and CVAT call it

    @property
    def images(self) -> list[CocoImage]:
        """The entries of the images, in their order."""
        return list(self.index.dataset["images"])

    def part(self, root: Path) -> str:
        """The part of the data set `root` after which the file is called, or the folder in which it lies, if any."""
        folder = self.path.parent
        return part_named(self.subset) or ("" if folder == root else part_named(folder.name))

    def image_path(self, image: CocoImage, root: Path) -> Path:
        """The file of an image, which lies in the data set `root`, whatever its `file_name` says."""
        folder = self.path.parent
        folders = [
            place
            for base in ([root] if folder.name == "annotations" else [folder, root])
            for place in (base / "images" / self.subset, base / self.subset, base / "images", base)
        ]
        path = image_named(root, folders, image["file_name"])
        if path is None:
            raise InputError(
                self._image(image), expected=f"its image in {root}", got=f"no {image['file_name']}",
                fix="add the image or remove the annotation",
            )  # fmt: skip
        return path

    def annotations(self, image: CocoImage) -> list[CocoAnnotation]:
        """The annotations of an image, in their order, crowds among them."""
        return list(self.index.imgToAnns[image["id"]])

    def label(self, annotation: CocoAnnotation) -> str:
        """The name of the class of an annotation: ids differ from file to file."""
        number = _key(annotation, "category_id")
        if number not in self.names:
            self._refuse(
                f"annotation {annotation['id']}", "a category_id that is among the categories",
                repr(annotation.get("category_id")),
            )  # fmt: skip
        return self.names[number]

    def box(self, annotation: CocoAnnotation, size: Size | None) -> list[float]:
        """Corners (x1, y1, x2, y2) of an annotation in a picture of `size`, or around its outline if it has no box."""
        entry, box = self.entry(annotation), annotation.get("bbox")
        if not box and annotation.get("segmentation"):
            return checked_box(box_around(annotation["segmentation"], size, entry), size, entry)
        numbers = finite_numbers(box, entry, "a bbox of x, y, width and height, or a segmentation")
        if len(numbers) != 4:
            raise InputError(entry, expected="a bbox of four numbers", got=len(numbers), fix="correct or remove it")
        x, y, width, height = numbers
        return checked_box([x, y, x + width, y + height], size, entry)

    def check_size(self, image: CocoImage, size: Size | None) -> None:
        """Refuse an image whose entry has another width and height than its picture."""
        check_size((image.get("width", 0), image.get("height", 0)), size, self._image(image))

    def draw(self, image: CocoImage, size: Size) -> np.ndarray:
        """Ids (height, width) of the instances of an image, 0 the background; later ones are drawn over earlier ones.

        Crowds are left out. size: width and height of the picture.
        """
        self.check_size(image, size)
        self.index.imgs[image["id"]] |= {"width": size[0], "height": size[1]}
        ids = np.zeros(size[::-1], dtype=np.int32)
        for number, annotation in enumerate(self._instances(image), start=1):
            check_outline(annotation.get("segmentation"), size, self.entry(annotation))
            ids[self.index.annToMask(annotation) > 0] = number
        return ids

    def count(self, image: CocoImage) -> int:
        """How many instances an image has, crowds left out."""
        return len(self._instances(image))

    def entry(self, annotation: CocoAnnotation) -> str:
        return f"{self.path}, annotation {annotation.get('id')}"

    def _instances(self, image: CocoImage) -> list[CocoAnnotation]:
        return [one for one in self.annotations(image) if not one.get("iscrowd")]

    def _image(self, image: CocoImage) -> str:
        return f"{self.path}, image {image['id']}"

    def _check(self, content: Mapping[str, object]) -> None:
        entries = self._entries(content, "images")
        images = {_key(entry, "id") for entry in entries}
        for number, entry in enumerate(entries):
            if _key(entry, "id") is None or not isinstance(entry.get("file_name"), str):
                self._refuse(f"image {number}", "an id and a file_name", sorted(entry))
        if len(images) != len(entries):
            self._refuse("images", "ids that differ", f"{len(entries) - len(images)} of them again")
        self._entries(content, "categories")
        for number, entry in enumerate(self._entries(content, "annotations")):
            if _key(entry, "image_id") not in images:
                what = f"annotation {entry.get('id', number)}"
                self._refuse(what, "an image_id that is among the images", repr(entry.get("image_id")))

    def _entries(self, content: Mapping[str, object], key: str) -> list[dict[str, object]]:
        entries = content.get(key, [])
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            self._refuse(key, "a list of objects", type(entries).__name__)
        return list(entries)

    def _refuse(self, what: str, expected: str, got: object) -> NoReturn:
        raise InputError(f"{self.path}, {what}", expected=expected, got=got, fix="correct or remove it")


def coco_files(root: str | Path) -> list[Path]:
    """The COCO files in `root` and in the folders directly below it; where some are called instances…, those alone."""
    root = Path(root)
    found = [path for pattern in ("*.json", "*/*.json") for path in visible_files(root, pattern) if _is_coco(path)]
    return [path for path in found if path.name.startswith("instances")] or found


def open_coco(path: str | Path) -> CocoFile:
    """The content of a COCO file, parsed once for as long as it stays as it is."""
    path = Path(path)
    return _parsed(path, path.stat().st_mtime_ns)


def _is_coco(path: Path) -> bool:
    try:
        content = _content(path, path.stat().st_mtime_ns)
    except InputError:
        return not is_beside_picture(path)  # then it is LabelMe's; whoever reads it reports it
    return isinstance(content, dict) and content.keys() >= KEYS


@lru_cache(maxsize=8)
def _parsed(path: Path, changed: int) -> CocoFile:
    return CocoFile(path, _content(path, changed))


@lru_cache(maxsize=8)
def _content(path: Path, changed: int) -> Any:
    return read_json(path)


def _key(entry: Mapping[str, object], name: str) -> Hashable | None:
    """An id, a number or text; None where it is neither."""
    value = entry.get(name)
    return value if isinstance(value, int | str) and not isinstance(value, bool) else None
