"""Boxes as annotations give them, checked against the picture that they lie in."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from shared.errors import InputError

ORIENTATION = 0x0112  # the EXIF tag
TURNED = (5, 6, 7, 8)  # its values by which width and height are exchanged
LARGEST = 1e300  # so that a whole number becomes a float
Size = tuple[int, int]


def picture_size(path: Path) -> Size | None:
    """Width and height of a picture as it is seen, from its header alone; None where that cannot be read."""
    Image.MAX_IMAGE_PIXELS = None  # nothing is decoded here
    try:
        with Image.open(path) as picture:
            width, height = picture.size
            turned = picture.format != "TIFF" and picture.getexif().get(ORIENTATION) in TURNED  # TIFF: done by Pillow
        return (height, width) if turned else (width, height)
    except Exception:  # Pillow raises many kinds
        return _tiff_size(path)


def check_size(declared: Sequence[object], size: Size | None, entry: str) -> None:
    """Raise InputError where an annotation declares another width and height than those of its picture.

    entry: file and place of the annotation, for the message. Some programs declare 0, or nothing.
    """
    if size is not None and any(declared) and tuple(declared) != size:
        raise InputError(
            entry, expected=f"the width and height of the upright picture, {size[0]} × {size[1]}",
            got=" × ".join(str(side) for side in declared), fix="annotate the picture as it is now",
        )  # fmt: skip


def finite_numbers(values: object, entry: str, expected: str) -> list[float]:
    """`values` as numbers. Raises InputError, with what is `expected`, where they are no list of finite numbers."""
    numbers: list[float] = []
    for value in values if isinstance(values, list | tuple) else [None]:
        if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) < LARGEST:
            raise InputError(entry, expected=expected, got=repr(values)[:80], fix="correct the annotation")
        numbers.append(float(value))
    return numbers


def box_in_order(corners: object, entry: str) -> list[float]:
    """The corners (x1, y1, x2, y2) of a box, in order whichever two were given.

    Raises InputError that names `entry` where they are not four finite numbers. They may have no area between them.
    """
    numbers = finite_numbers(corners, entry, "four finite numbers")
    if len(numbers) != 4:
        raise InputError(entry, expected="four numbers", got=len(numbers), fix="correct the annotation")
    (x1, x2), (y1, y2) = sorted(numbers[::2]), sorted(numbers[1::2])
    return [x1, y1, x2, y2]


def has_area(box: Sequence[float]) -> bool:
    """Whether (x1, y1, x2, y2), in order, has any."""
    return box[0] < box[2] and box[1] < box[3]


def checked_box(corners: object, size: Size | None, entry: str) -> list[float]:
    """`box_in_order` of corners in pixels. size: width and height of the picture, where they are known.

    Raises InputError also where they are shares of the picture, or lie outside of it or far beyond it.
    """
    box = box_in_order(corners, entry)
    if max(box) <= 1 and any(value != round(value) for value in box):
        raise InputError(entry, expected="pixels", got=f"shares of the picture, {_listed(box)}", fix="store pixels")
    if size is not None:
        check_within(box[::2], box[1::2], size, entry)
        check_seen(box, size, entry)
    return box


def check_seen(box: Sequence[float], size: Size, entry: str) -> None:
    """Raise InputError where nothing of a box lies within its picture."""
    if has_area(box) and (box[2] <= 0 or box[3] <= 0 or box[0] >= size[0] or box[1] >= size[1]):
        raise InputError(
            entry, expected=f"a box within the picture, {size[0]} × {size[1]}", got=_listed(box),
            fix="correct or remove it",
        )  # fmt: skip


def check_within(x: Sequence[float], y: Sequence[float], size: Size, entry: str) -> None:
    """Raise InputError where a coordinate lies further outside a picture than that is wide or high."""
    for values, side in zip((x, y), size):
        if min(values) < -side or max(values) > 2 * side:
            raise InputError(
                entry, expected=f"coordinates within the picture, {size[0]} × {size[1]}",
                got=f"{min(values):g} to {max(values):g}", fix="correct the annotation",
            )  # fmt: skip


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _tiff_size(path: Path) -> Size | None:
    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            page = file.pages.first
            return page.imagewidth, page.imagelength
    except Exception:
        return None
