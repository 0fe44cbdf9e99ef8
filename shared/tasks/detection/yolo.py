"""YOLO's annotations: a text a picture, a line an object: class, and box or outline in shares of the picture."""

from collections.abc import Iterator
from pathlib import Path

from shared.errors import InputError
from shared.files import read_text, visible_files
from shared.images.boxes import box_in_order, check_seen, finite_numbers, picture_size
from shared.images.layouts import case_of
from shared.images.reading import RASTER_ENDINGS, without_ending
from shared.tasks.detection.boxed import BoxedImage, BoxedObject
from shared.tasks.detection.yolo_sets import class_names, listed_images, names_file

BEYOND = 0.01  # by which a share may lie outside 0 … 1, as rounding leaves it
EXPECTED = "lines of a class and four shares of the picture, or the corners of an outline"


def is_yolo(root: Path) -> bool:
    """Whether there are texts in a folder labels/, or beside the pictures where a file names their classes."""
    texts = [path for path in visible_files(root, "**/*.txt") if path.name != "classes.txt"]
    if any("labels" in path.relative_to(root).parts[:-1] for path in texts):
        return True
    beside = any(path.with_suffix(ending).is_file() for path in texts for ending in RASTER_ENDINGS)
    return beside and names_file(root) is not None


def read_yolo(root: Path) -> Iterator[BoxedImage]:
    """The pictures of the data set, those without a text as pictures without objects.

    Raises InputError for the file and the line that cannot be used, and for a text without a picture.
    """
    names = class_names(root)
    parts = listed_images(root)
    images = list(parts) or [
        path for path in visible_files(root, "**/*")
        if path.name.lower().endswith(RASTER_ENDINGS) and "labels" not in path.relative_to(root).parts[:-1]
    ]  # fmt: skip
    labels = {image: label_path(root, image) for image in images}
    if not parts:
        _refuse_without_image(root, set(labels.values()))
    for image, label in labels.items():
        yield BoxedImage(case_of(root, image), image, _objects(image, label, names), parts.get(image, ""))


def label_path(root: Path, image: Path) -> Path:
    """The text of a picture: in labels/ in place of the last folder images/ on its path, or else beside it."""
    base = root if image.is_relative_to(root) else Path(image.anchor)
    folders = list(image.relative_to(base).parts[:-1])
    if "images" in folders:
        place = len(folders) - 1 - folders[::-1].index("images")
        folders[place] = "labels"
    return base.joinpath(*folders, f"{without_ending(image).name}.txt")


def _objects(image: Path, label: Path, names: dict[int, str]) -> list[BoxedObject]:
    if not label.is_file():
        return []
    size = picture_size(image) or (1, 1)  # a picture that cannot be opened fails where it is read, as a case of its own
    objects = []
    for number, line in enumerate(read_text(label).splitlines(), start=1):
        if line.strip():
            entry = f"{label}, line {number}"
            kind, shares = _parsed(line, names, entry)
            box = box_in_order([share * side for share, side in zip(shares, size * 2)], entry)
            check_seen(box, size, entry)
            objects.append(BoxedObject(kind, box, entry))
    return objects


def _parsed(line: str, names: dict[int, str], entry: str) -> tuple[str, list[float]]:
    """The class of a line, and the corners (x1, y1, x2, y2) of its box, or around its outline, in shares."""
    kind, *texts = line.split()
    try:
        number, values = float(kind), [float(text) for text in texts]
    except ValueError as error:
        raise InputError(entry, expected=EXPECTED, got=repr(line[:60]), fix="correct the line") from error
    if number not in names:
        raise InputError(
            entry, expected=f"one of the classes {', '.join(f'{n} ({name})' for n, name in names.items())}", got=kind,
            fix="correct the line, or the names of the classes",
        )  # fmt: skip
    shares = finite_numbers(values, entry, EXPECTED)
    if len(shares) != 4 and (len(shares) < 6 or len(shares) % 2):
        raise InputError(entry, expected=EXPECTED, got=f"{len(shares)} numbers", fix="correct the line")
    if min(shares) < -BEYOND or max(shares) > 1 + BEYOND:
        raise InputError(
            entry, expected="shares of the picture, from 0 to 1", got=f"{min(shares):g} to {max(shares):g}",
            fix="divide pixels by the width and height of the picture",
        )  # fmt: skip
    if len(shares) == 4:
        x, y, width, height = shares
        return names[int(number)], [x - width / 2, y - height / 2, x + width / 2, y + height / 2]
    return names[int(number)], [min(shares[::2]), min(shares[1::2]), max(shares[::2]), max(shares[1::2])]


def _refuse_without_image(root: Path, known: set[Path]) -> None:
    for path in visible_files(root, "**/labels/**/*.txt"):
        if path not in known and path.name != "classes.txt" and read_text(path).strip():
            raise InputError(path, expected="a picture of its name", got="none", fix="add the picture or remove it")
