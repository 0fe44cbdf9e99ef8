"""What a YOLO data set says of itself: the names of its classes, and which pictures train and validate."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shared.errors import InputError, one_line
from shared.files import read_text, visible_files
from shared.images.layouts import TEST, TRAINING, VALIDATION
from shared.images.reading import RASTER_ENDINGS

NAMES_FILES = ("classes.txt", "obj.names", "labels/classes.txt", "data.yaml", "dataset.yaml")
KEYS = {"train": TRAINING, "val": VALIDATION, "valid": VALIDATION, "test": TEST}  # of data.yaml


def names_file(root: Path) -> Path | None:
    """The file that names the classes: a text with a name a line, or a YAML with `names`."""
    found = [root / name for name in NAMES_FILES if (root / name).is_file()]
    return found[0] if found else _yaml_file(root)


def class_names(root: Path) -> dict[int, str]:
    """The names of the classes by number. Raises InputError where no file has them."""
    path = names_file(root)
    if path is None:
        raise InputError(
            root, expected="classes.txt or data.yaml with names", got="neither", fix="add the names of the classes"
        )
    if path.suffix not in (".yaml", ".yml"):
        lines = [line.strip() for line in read_text(path).splitlines()]
        return dict(enumerate(line for line in lines if line))
    names = _content(path).get("names")
    numbered = dict(enumerate(names)) if isinstance(names, list) else names
    if not isinstance(numbered, dict) or not all(type(number) is int for number in numbered):
        raise InputError(path, expected="names as a list, or by number", got=repr(names)[:80], fix="correct the file")
    return {number: str(name) for number, name in sorted(numbered.items())}


def listed_images(root: Path) -> dict[Path, str]:
    """The part of each picture that data.yaml lists by train, val and test; empty where it lists none.

    Each is a folder, a text with a picture a line, or a list of these: absolute, relative to the YAML or to the `path`
    in it, and where the data set was moved the end of it. A test set may be missing. Raises InputError where another
    is, or a picture is for training and validation both.
    """
    path = _yaml_file(root)
    content = _content(path) if path else {}
    part_of: dict[Path, str] = {}
    for key, part in KEYS.items():
        value = content.get(key)
        for place in value if isinstance(value, list) else [value] if value else []:
            for image in _images(root, content, str(place), f"{path}, {key}", optional=part == TEST):
                if part_of.setdefault(image, part) != part:
                    raise InputError(
                        f"{path}, {key}", expected="pictures that are in no other part", got=f"{image} again",
                        fix="list it once",
                    )  # fmt: skip
    return part_of


def _images(root: Path, content: dict[str, Any], name: str, entry: str, *, optional: bool) -> Iterator[Path]:
    place = _found(root, content, name)
    if place is None:
        if not optional:
            raise InputError(entry, expected="a folder or a list of pictures", got=name, fix="correct the path")
    elif place.is_dir():
        yield from (path for path in visible_files(place, "**/*") if path.name.lower().endswith(RASTER_ENDINGS))
    else:
        for line in filter(None, map(str.strip, read_text(place).splitlines())):
            image = _found(root, content, line)
            if image is None:
                raise InputError(place, expected="pictures that exist", got=line, fix="correct the list")
            yield image


def _found(root: Path, content: dict[str, Any], name: str) -> Path | None:
    """Where a path of data.yaml leads: as it says, or else below `root` by as much of its end as there is."""
    path = Path(name.replace("\\", "/"))
    base = root / str(content.get("path") or "")
    ends = [Path(*path.parts[start:]) for start in range(len(path.parts))]
    for candidate in (base / path, root / path, *(root / end for end in ends if not end.is_absolute())):
        if candidate.exists():
            inside = candidate.resolve()
            return root / inside.relative_to(root.resolve()) if inside.is_relative_to(root.resolve()) else inside
    return None


def _yaml_file(root: Path) -> Path | None:
    """data.yaml, or the YAML in `root` that has `names`."""
    found = [path for pattern in ("*.yaml", "*.yml") for path in visible_files(root, pattern)]
    for path in sorted(found, key=lambda path: path.stem != "data"):
        if path.stem == "data" or "names" in _content(path):
            return path
    return None


def _content(path: Path) -> dict[str, Any]:
    import yaml

    try:
        content = yaml.safe_load(read_text(path))
    except (yaml.YAMLError, RecursionError) as error:
        raise InputError(path, expected="YAML", got=one_line(error), fix="correct the file") from error
    return content if isinstance(content, dict) else {}
