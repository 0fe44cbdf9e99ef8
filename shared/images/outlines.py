"""Outlines of instances as COCO has them, polygons and run lengths, checked before pycocotools is given them.

It ends the process without an error on run lengths that do not fill their picture and on coordinates far beyond it.
"""

from collections.abc import Iterator

from shared.errors import InputError
from shared.images.boxes import Size, check_within, finite_numbers

EXPECTED = "a polygon of three points or more, or run lengths"


def check_outline(outline: object, size: Size | None, entry: str) -> None:
    """Raise InputError that names `entry` where an outline in a picture of `size` (width, height) cannot be drawn."""
    if isinstance(outline, dict):
        _check_run_lengths(outline, size, entry)
        return
    for polygon in _polygons(outline, entry):
        if size is not None:
            check_within(polygon[::2], polygon[1::2], size, entry)


def box_around(outline: object, size: Size | None, entry: str) -> list[float]:
    """Corners (x1, y1, x2, y2) of the box around an outline. Raises InputError as `check_outline` does."""
    check_outline(outline, size, entry)
    if isinstance(outline, dict):
        from pycocotools.mask import frPyObjects, toBbox

        packed = outline if isinstance(outline["counts"], str) else frPyObjects(outline, *outline["size"])
        x, y, width, height = (float(value) for value in toBbox(packed))
        return [x, y, x + width, y + height]
    corners = [value for polygon in _polygons(outline, entry) for value in polygon]
    return [min(corners[::2]), min(corners[1::2]), max(corners[::2]), max(corners[1::2])]


def _polygons(outline: object, entry: str) -> list[list[float]]:
    parts = outline if isinstance(outline, list) and outline else [None]
    polygons = [finite_numbers(part, entry, EXPECTED) for part in parts]
    for polygon in polygons:
        if len(polygon) < 6 or len(polygon) % 2:
            raise InputError(entry, expected=EXPECTED, got=f"{len(polygon)} numbers", fix="correct the annotation")
    return polygons


def _check_run_lengths(outline: dict[str, object], size: Size | None, entry: str) -> None:
    stored = outline.get("size")
    rows, columns = stored if isinstance(stored, list) and len(stored) == 2 else (None, None)
    if type(rows) is not int or type(columns) is not int or (size is not None and (columns, rows) != size):
        wanted = f"run lengths of {size[1]} rows and {size[0]} columns" if size else "run lengths of rows and columns"
        raise InputError(entry, expected=wanted, got=repr(stored)[:80], fix="correct the annotation")
    counts = outline.get("counts")
    runs = list(unpacked(counts)) if isinstance(counts, str) else counts if isinstance(counts, list) else []
    total = sum(runs) if all(type(run) is int and run >= 0 for run in runs) else None
    if total != rows * columns:
        raise InputError(
            entry, expected=f"run lengths of {rows * columns} pixels in all", got="others" if total is None else total,
            fix="correct the annotation",
        )  # fmt: skip


def unpacked(counts: str) -> Iterator[int]:
    """The run lengths in pycocotools' text: five bits a character, from 0, and from the third on less the last but one.

    A text with other characters, or that ends within a number, gives -1.
    """
    runs: list[int] = []
    value = shift = 0
    for character in counts:
        bits = ord(character) - 48
        if not 0 <= bits < 64:
            yield -1
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        yield runs[-1]
        value = shift = 0
    if shift:
        yield -1
