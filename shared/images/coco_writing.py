"""One complete COCO file of what was found in images, which annotation tools import and pycocotools opens."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.files import write_atomically
from shared.images.reading import without_ending

Annotation = dict[str, Any]  # category_id, bbox and score, and what more is known: area, segmentation


@dataclass(frozen=True)
class AnnotatedImage:
    """An image by its path below the data set, its sizes in pixels, and what was found in it."""

    file_name: str
    width: int
    height: int
    annotations: Sequence[Annotation]


def write_coco(path: Path, images: Iterable[AnnotatedImage], class_names: Sequence[str]) -> Path:
    """Write images, categories and annotations, each numbered from 1: categories in the order of `class_names`.

    Of an annotation without an outline or an area, they are none and that of its box. Each keeps its score.
    """
    entries = []
    annotations: list[Annotation] = []
    for number, image in enumerate(images, start=1):
        entry = {"id": number, "file_name": image.file_name, "width": image.width, "height": image.height}
        entries.append(entry)
        for found in image.annotations:
            _, _, width, height = found["bbox"]
            own = {"id": len(annotations) + 1, "image_id": number, "iscrowd": 0}
            annotations.append(own | {"area": round(width * height, 2), "segmentation": []} | found)
    categories = [{"id": number, "name": name} for number, name in enumerate(class_names, start=1)]
    content = {"images": entries, "categories": categories, "annotations": annotations}
    text = "{\n" + ",\n".join(f'"{key}": {_lines(values)}' for key, values in content.items()) + "\n}\n"
    return write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def file_name_of(case: str, image: str) -> str:
    """The path below the data set of a case's image, of which `image` is the name; a slice is `stack.tif#z003`."""
    depth = len(without_ending(Path(image)).parts)  # two for a slice, whose case is stack/z003
    return Path(*Path(case).parts[:-depth], image).as_posix()


def _lines(values: Sequence[object]) -> str:
    """A list with a line an entry."""
    return "[" + ",\n".join(json.dumps(value) for value in values) + "]"
