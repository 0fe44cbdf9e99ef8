"""LabelMe's annotations: a JSON beside each picture, with shapes that bear a label."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import cos, dist, pi, sin
from pathlib import Path
from typing import Any

from shared.errors import InputError
from shared.files import read_json, visible_files
from shared.images.boxes import Size, check_size, check_within, finite_numbers
from shared.images.layouts import image_named, is_beside_picture

CORNERS = 64  # of the polygon that stands for a circle
FEWEST = {"polygon": 3, "rectangle": 2, "circle": 2}  # points of a shape


@dataclass(frozen=True)
class Shape:
    """A labelled outline: a polygon x1, y1, x2, y2, … in pixels. entry: file and place, for messages."""

    label: str
    polygon: list[float]
    entry: str

    @property
    def box(self) -> list[float]:
        """x1, y1, x2, y2."""
        x, y = self.polygon[::2], self.polygon[1::2]
        return [min(x), min(y), max(x), max(y)]


def labelme_files(root: Path) -> list[Path]:
    """The JSON files below `root` that LabelMe wrote."""
    return [path for path in visible_files(root, "**/*.json") if _is_labelme(path)]


def labelme_image(path: Path, root: Path) -> Path:
    """The picture that a file of LabelMe's annotates, in the data set `root`. Raises InputError where it is missing."""
    named = _content(path).get("imagePath")
    folders = [path.parent, path.parent.parent / "images", root / "images"]
    image = image_named(root, folders, named if isinstance(named, str) else path.stem)
    image = image or image_named(root, folders, Path(str(named).replace("\\", "/")).name)
    if image is None:
        raise InputError(path, expected="its image beside it", got="none", fix="add the image or remove the annotation")
    return image


def labelme_shapes(path: Path, size: Size | None) -> Iterator[Shape]:
    """The shapes of a file of LabelMe's, for a picture of `size` (width, height), each checked.

    Raises InputError that names the file and the shape without a label, or with points that make no outline.
    """
    content = _content(path)
    check_size((content.get("imageWidth") or 0, content.get("imageHeight") or 0), size, str(path))
    for number, shape in enumerate(content["shapes"], start=1):
        entry = f"{path}, shape {number}"
        if not isinstance(shape, dict) or not isinstance(shape.get("label"), str) or not shape["label"].strip():
            raise InputError(entry, expected="a shape with a label", got="none", fix="label it or remove it")
        polygon = _polygon(shape, entry)
        if size is not None:
            check_within(polygon[::2], polygon[1::2], size, entry)
        yield Shape(shape["label"].strip(), polygon, entry)


def _polygon(shape: dict[str, Any], entry: str) -> list[float]:
    kind, points = shape.get("shape_type") or "polygon", shape.get("points")
    if not isinstance(kind, str) or kind not in FEWEST or not isinstance(points, list) or len(points) < FEWEST[kind]:
        count = len(points) if isinstance(points, list) else "no"
        raise InputError(
            entry, expected="a polygon, rectangle or circle", got=f"a {kind} of {count} points",
            fix="draw it as one of these, or remove it",
        )  # fmt: skip
    pairs = [finite_numbers(point, entry, "points of two numbers")[:2] for point in points]
    if any(len(pair) != 2 for pair in pairs):
        raise InputError(entry, expected="points of two numbers", got="one number", fix="correct the annotation")
    if kind == "rectangle":
        (x1, y1), (x2, y2) = pairs[0], pairs[2 if len(pairs) == 4 else 1]
        return [x1, y1, x2, y1, x2, y2, x1, y2]
    if kind == "circle":
        (x, y), radius = pairs[0], dist(*pairs[:2])
        angles = [2 * pi * number / CORNERS for number in range(CORNERS)]
        return [value for angle in angles for value in (x + radius * cos(angle), y + radius * sin(angle))]
    return [value for pair in pairs for value in pair]


def _is_labelme(path: Path) -> bool:
    try:
        content = read_json(path)
    except InputError:
        return is_beside_picture(path)  # so that whoever reads it reports it
    return isinstance(content, dict) and isinstance(content.get("shapes"), list) and "imagePath" in content


def _content(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = read_json(path)
    return content
