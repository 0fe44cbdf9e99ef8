"""Data sets of instances: label maps beside images, or COCO's JSON, found out by looking."""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from shared.errors import InputError, one_line
from shared.images.cases import Case, find_labelled_cases, split_by_name, split_cases
from shared.images.reading import read_image, without_ending

SEPARATOR = "#"  # between a COCO file and the id of one of its images, in a case's "label"


def split_instances(
    dataset_dir: str | Path, *, fraction: float = 0.15, seed: int = 0, fold: int = 0
) -> dict[str, list[Case]]:
    """What `split_cases` does, of images/ + labels/ (ids) or of a COCO JSON with the images beside it or in images/."""
    files = coco_files(dataset_dir)
    if not files:
        return split_cases(dataset_dir, fraction=fraction, seed=seed, fold=fold)
    cases = coco_cases(Path(dataset_dir), files[0])
    names = [case["case"] for case in cases]
    return split_by_name(dataset_dir, cases, names, fraction=fraction, seed=seed, fold=fold)


def select_instances(
    dataset_dir: str | Path, *, part: str = "all", fraction: float = 0.15, seed: int = 0, fold: int = 0
) -> list[Case]:
    """The cases of one part: "all", "training" or "validation" (see `split_instances`)."""
    files = coco_files(dataset_dir)
    if part == "all":
        return coco_cases(Path(dataset_dir), files[0]) if files else find_labelled_cases(dataset_dir)
    parts = split_instances(dataset_dir, fraction=fraction, seed=seed, fold=fold)
    if part not in parts:
        raise InputError("part", expected=f"one of {', '.join(parts)}", got=repr(part), fix="choose one of these")
    return parts[part]


def coco_files(dataset_dir: str | Path) -> list[Path]:
    """The COCO annotations that lie in `dataset_dir`. Raises InputError where there are several."""
    found = [
        path for path in sorted(Path(dataset_dir).glob("*.json")) if path.name != "dataset.json" and _content(path)
    ]
    if len(found) > 1:
        raise InputError(dataset_dir, expected="one COCO JSON", got=f"{len(found)}", fix="keep one, or merge them")
    return found


def coco_cases(root: Path, annotations: Path) -> list[Case]:
    """The images of a COCO JSON. Raises InputError where one is missing."""
    folder = root / "images" if (root / "images").is_dir() else root
    cases = []
    for entry in _content(annotations)["images"]:
        path = folder / entry["file_name"]
        if not path.is_file():
            raise InputError(annotations, expected=f"its image {path}", got="no such file", fix="add the image")
        name = without_ending(Path(entry["file_name"])).as_posix()
        cases.append({"case": name, "image": str(path), "label": f"{annotations}{SEPARATOR}{entry['id']}"})
    return sorted(cases, key=lambda case: case["case"])


def is_coco_label(label: str) -> bool:
    """Whether a case's "label" names an image of a COCO JSON."""
    return label.rpartition(SEPARATOR)[0].endswith(".json")


def draw_coco_ids(label: str) -> np.ndarray:
    """The ids (rows, columns) of what a case's "label" names in a COCO JSON; later ones are drawn over earlier ones.

    Crowds are left out. Raises InputError where an annotation cannot be drawn.
    """
    from pycocotools.mask import decode, frPyObjects

    path, _, wanted = label.rpartition(SEPARATOR)
    content = _content(Path(path))
    (image,) = (entry for entry in content["images"] if str(entry["id"]) == wanted)
    size = (image["height"], image["width"])
    ids = np.zeros(size, dtype=np.int32)
    number = 0
    for annotation in content["annotations"]:
        if annotation["image_id"] != image["id"] or annotation.get("iscrowd"):
            continue
        number += 1
        try:
            parts = annotation["segmentation"]
            packed = isinstance(parts, dict) and not isinstance(parts["counts"], list)
            mask = decode(parts if packed else frPyObjects(parts, *size))
        except Exception as error:  # pycocotools raises many kinds
            raise InputError(
                path, expected=f"a polygon or run lengths for annotation {annotation.get('id')}", got=one_line(error),
                fix="correct the annotation",
            ) from error  # fmt: skip
        ids[mask.reshape(*size, -1).any(axis=2)] = number
    return ids


def count_instances(label: str) -> int:
    """How many instances a case's "label" holds: ids, or annotations of its image in a COCO JSON, but for crowds."""
    if is_coco_label(label):
        path, _, wanted = label.rpartition(SEPARATOR)
        annotations = _content(Path(path))["annotations"]
        return sum(str(one["image_id"]) == wanted and not one.get("iscrowd") for one in annotations)
    return int((np.unique(read_image(label, as_ids=True).values) != 0).sum())


@lru_cache(maxsize=4)
def _content(path: Path) -> dict[str, Any]:
    """What is in a JSON, where it is COCO's annotations; else an empty dictionary."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return {}
    return content if isinstance(content, dict) and {"images", "annotations"} <= content.keys() else {}
