"""Finding the cases of a dataset folder, with or without labels, and splitting them."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np

from shared.errors import InputError
from shared.images.dicom_series import series_of_folder
from shared.images.reading import ENDINGS, without_ending
from shared.images.volumes import is_volume

# Folder of images -> folder of labels beside it: Medical Segmentation Decathlon, and plain.
LABEL_FOLDERS = {"imagesTr": "labelsTr", "imagesTs": "labelsTs", "images": "labels"}

Case = dict[str, str]  # "case": name; "image": path; "label": path, where there is one
T = TypeVar("T")


def find_cases(dataset_dir: str | Path, output_dir: str | Path | None = None) -> list[Case]:
    """Every image below `dataset_dir` (or the one file or DICOM series it names), sorted by case name.

    A case is named by its path below `dataset_dir` without the ending, which the second of two volumes of a name keeps;
    one of several DICOM series in a folder by the folder, the series' number and description. Hidden files, label
    folders beside image folders, and `output_dir` are passed over. Raises InputError where there is no image.
    """
    root = Path(dataset_dir)
    if not root.exists():
        raise InputError(root, expected="a folder or an image", got="nothing there", fix="check --dataset_dir")
    if root.is_file():
        return [{"case": without_ending(root).name, "image": str(root)}]
    skipped = {Path(output_dir).resolve()} if output_dir else set()
    if root.resolve() in skipped:
        raise InputError(
            root,
            expected="results in a folder of their own",
            got="the images' folder",
            fix="choose another --output_dir",
        )
    cases: dict[str, Case] = {}
    for path, named, addition in _walk(root, skipped):
        name = named.resolve().name if named == root else without_ending(named).relative_to(root).as_posix()
        name += addition
        if name in cases and all(is_volume(Path(p)) for p in (path, cases[name]["image"])):
            name = path.relative_to(root).as_posix()
        if name in cases:
            raise InputError(
                path, expected="one image of its name, which its results will bear", fix="rename one of them",
                got=f"also {cases[name]['image']}",
            )  # fmt: skip
        cases[name] = {"case": name, "image": str(path)}
    if not cases:
        found = sum(len(files) for _, _, files in os.walk(root))
        raise InputError(
            root,
            expected=f"images ({', '.join(ENDINGS)} or DICOM series)",
            got=f"{found} files, none of them an image",
            fix="check --dataset_dir",
        )
    return [cases[name] for name in sorted(cases)]


def find_labelled_cases(dataset_dir: str | Path) -> list[Case]:
    """The images of `dataset_dir` that have a label of equal name: imagesTr/ + labelsTr/, or images/ + labels/.

    Raises InputError where no such pair of folders exists or an image has no label.
    """
    root = Path(dataset_dir)
    layouts = [
        (images, labels)
        for images, labels in LABEL_FOLDERS.items()
        if (root / images).is_dir() and (root / labels).is_dir()
    ]
    if not layouts:
        raise InputError(
            root,
            expected="the folders imagesTr/ and labelsTr/, or images/ and labels/",
            got=f"{_listing(root)}",
            fix="arrange the data set in one of these layouts",
        )
    images, labels = layouts[0]
    label_of = {case["case"]: case["image"] for case in find_cases(root / labels)}
    for name, path in label_of.items():
        if Path(path) == root / labels / name and is_volume(Path(path)):
            raise InputError(path, expected="one label of its name", got="another beside it", fix="remove one of them")
    cases = []
    for case in find_cases(root / images):
        if case["case"] not in label_of:
            raise InputError(
                case["image"],
                expected=f"a label named {case['case']}.* in {root / labels}",
                got="none",
                fix="add the label or remove the image",
            )
        cases.append({"case": f"{images}/{case['case']}", "image": case["image"], "label": label_of.pop(case["case"])})
    return cases


def split_cases(
    dataset_dir: str | Path, *, fraction: float = 0.15, seed: int = 0, fold: int = 0
) -> dict[str, list[Case]]:
    """The labelled cases as {"training": [...], "validation": [...], "all": [...]}.

    A `validation` list in dataset.json decides; else the names, sorted, are shuffled by `seed`, and the `fold`-th
    `fraction` of them (at least one) is for validation: fraction 1/k and folds 0 … k - 1 make k-fold cross-validation.
    Raises InputError where a part would be empty, or there is no such fold.
    """
    cases = find_labelled_cases(dataset_dir)
    names = [case["case"].partition("/")[2] for case in cases]  # below the folder of images
    return split_by_name(dataset_dir, cases, names, fraction=fraction, seed=seed, fold=fold)


def split_by_name(
    dataset_dir: str | Path,
    cases: list[T],
    names: list[str],
    *,
    fraction: float = 0.15,
    seed: int = 0,
    fold: int = 0,
    smallest: int = 1,
) -> dict[str, list[T]]:
    """What `split_cases` does, with cases whose `names` are those that dataset.json may list.

    smallest: cases that a part has at least.
    """
    listed = _listed_validation(Path(dataset_dir))
    unknown = listed - set(names)
    if unknown:
        raise InputError(
            Path(dataset_dir) / "dataset.json",
            expected="a validation list of images that exist",
            got=f"{len(unknown)} unknown, such as {min(unknown)}",
            fix="correct the list",
        )
    order = np.random.default_rng(seed).permutation(names)
    size = max(float(smallest), fraction * len(order))
    start = round(fold * size) if fold >= 0 else len(order)
    chosen = listed or set(order[start : round((fold + 1) * size)].tolist())
    parts: dict[str, list[T]] = {"training": [], "validation": [], "all": cases}
    for case, name in zip(cases, names):
        parts["validation" if name in chosen else "training"].append(case)
    for part, members in parts.items():
        if len(members) < smallest:
            raise InputError(
                dataset_dir,
                expected=f"at least {smallest} case{'s' * (smallest > 1)} for {part}",
                got=f"{len(cases)} cases in all",
                fix="add cases, or change the validation fraction or the fold",
            )
    return parts


def select_cases(
    dataset_dir: str | Path, *, part: str = "all", fraction: float = 0.15, seed: int = 0, fold: int = 0
) -> list[Case]:
    """The labelled cases of one part: "all", "training" or "validation" (see `split_cases`)."""
    if part == "all":
        return find_labelled_cases(dataset_dir)
    parts = split_cases(dataset_dir, fraction=fraction, seed=seed, fold=fold)
    if part not in parts:
        raise InputError("part", expected=f"one of {', '.join(parts)}", got=repr(part), fix="choose one of these")
    return parts[part]


def _walk(folder: Path, skipped: set[Path]) -> Iterator[tuple[Path, Path, str]]:
    """The images and DICOM series below `folder`: each with the path that names it, and what to add to its name.

    Adds where it has been to `skipped`.
    """
    if folder.resolve() in skipped:
        return
    skipped.add(folder.resolve())
    try:
        entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
        series = series_of_folder(folder)
    except OSError as error:
        raise InputError(
            folder, expected="a folder that may be read", got=error.strerror, fix="change its permissions"
        ) from error
    for addition, path in series:
        yield path, folder, addition
    labels = {label for image, label in LABEL_FOLDERS.items() if folder / image in entries}
    for entry in entries:
        if entry.is_dir() and entry.name not in labels:
            yield from _walk(entry, skipped)
        elif entry.is_file() and entry.name.lower().endswith(ENDINGS):
            yield entry, entry, ""


def _listed_validation(root: Path) -> set[str]:
    """Names of the images in dataset.json's `validation` list, whose entries are paths or {"image": path}."""
    path = root / "dataset.json"
    if not path.is_file():
        return set()
    try:
        entries = json.loads(path.read_text(encoding="utf-8")).get("validation", [])
        images = [without_ending(Path(entry["image"] if isinstance(entry, dict) else entry)) for entry in entries]
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise InputError(
            path, expected="JSON as the Medical Segmentation Decathlon has it", got=error, fix="correct the file"
        ) from error
    return {Path(*i.parts[1:] if i.parts[:1] and i.parts[0] in LABEL_FOLDERS else i.parts).as_posix() for i in images}


def _listing(folder: Path) -> str:
    if not folder.is_dir():
        return "no such folder"
    return ", ".join(sorted(entry.name for entry in folder.iterdir())[:8]) or "an empty folder"
