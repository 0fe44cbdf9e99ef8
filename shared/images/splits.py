"""Which cases of a data set train, which validate and which test: as the data set says, or drawn by a seed."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from shared.errors import InputError
from shared.files import read_json
from shared.images.layouts import TEST, TRAINING, VALIDATION, part_named, without_image_folder
from shared.images.reading import without_ending

T = TypeVar("T")


def split_by_name(
    dataset_dir: str | Path,
    cases: list[T],
    names: list[str],
    *,
    fraction: float = 0.15,
    seed: int = 0,
    fold: int = 0,
    smallest: int = 1,
    assigned: Mapping[str, str] | None = None,
    grouped: Callable[[list[str]], list[str]] | None = None,
) -> dict[str, list[T]]:
    """The cases as {"training": [...], "validation": [...], "all": [...]} and, where the data set has one, "test".

    names: those of `cases`, by which data sets list them. assigned: the part of each name of which one is known. Else a
    `validation` list in dataset.json decides, else folders such as train/ and valid/ into which the names fall.
    Where none of these names cases for validation, those that are not for testing are drawn: their names are shuffled
    by `seed`, and the `fold`-th `fraction` of them is for validation. With cases assigned to training, what is not
    assigned is in "all" alone. smallest: cases that training and validation have at least. grouped: gives for each of
    the names that are drawn the name of its group, which is drawn whole; it is left alone where there is but one group.
    Raises InputError where a part would be smaller, there is no such fold, or dataset.json lists unknown images.
    """
    part_of = dict(assigned or _listed(Path(dataset_dir), names) or parts_by_folder(names))
    if VALIDATION not in part_of.values():
        free = [name for name in names if part_of.get(name) != TEST]
        groups = grouped(free) if grouped else free
        part_of |= _drawn(free, groups if len(set(groups)) > 1 else free, fraction, seed, fold, smallest)
    others = "all" if TRAINING in part_of.values() else TRAINING
    parts: dict[str, list[T]] = {TRAINING: [], VALIDATION: [], "all": []}
    if TEST in part_of.values():
        parts[TEST] = []
    for case, name in zip(cases, names):
        parts[part_of.get(name, others)].append(case)
    parts["all"] = cases
    for part in (TRAINING, VALIDATION):
        if len(parts[part]) < smallest:
            raise InputError(
                dataset_dir,
                expected=f"at least {smallest} case{'s' * (smallest > 1)} for {part}",
                got=f"{len(cases)} cases in all",
                fix="add cases, or change the validation fraction or the fold",
            )
    return parts


def by_patient(pattern: str) -> Callable[[list[str]], list[str]] | None:
    """What `grouped` of `split_by_name` may be: of each name that `pattern` matches in full its first group.

    pattern: a regular expression such as `(.*\\d)_[^_]*`; with "" no names belong together.
    Raises InputError where it is none, or has no group.
    """
    if not pattern:
        return None
    try:
        whole = re.compile(pattern)
    except re.error as error:
        raise InputError("--patient", expected="a regular expression", got=error, fix="correct it") from error
    if not whole.groups:
        raise InputError(
            "--patient", expected="a regular expression with a group, the patient's", got=pattern, fix="add brackets"
        )

    def patients(names: list[str]) -> list[str]:
        matches = [whole.fullmatch(name) for name in names]
        return [match[1] if match else name for match, name in zip(matches, names)]

    return patients


def choose_part(part: str, whole: Callable[[], list[T]], split: Callable[[], dict[str, list[T]]]) -> list[T]:
    """The cases of one part: `whole()` of "all", so that a single case need not be split, else that part of `split()`.

    Raises InputError where there is no such part.
    """
    if part == "all":
        return whole()
    parts = split()
    if part not in parts:
        raise InputError("part", expected=f"one of {', '.join(parts)}", got=repr(part), fix="choose one of these")
    return parts[part]


def with_training_share(parts: Mapping[str, list[T]], share: float, seed: int = 0) -> dict[str, list[T]]:
    """`parts` with a share, 0 to 1, of their training cases, drawn by `seed`: two or more.

    The cases of a smaller share are among those of a larger one.
    """
    training = parts[TRAINING]
    order = np.random.default_rng(seed).permutation(len(training))
    kept = sorted(order[: max(2, round(share * len(training)))].tolist())
    return {**parts, TRAINING: [training[place] for place in kept]}


def several_parts(parts: Mapping[str, str]) -> dict[str, str]:
    """`parts` without empty ones; nothing where all that there are is one part, which is no split."""
    known = {name: part for name, part in parts.items() if part}
    return known if len(set(known.values())) > 1 else {}


def parts_by_folder(names: Sequence[str]) -> dict[str, str]:
    """The part of each name such as train/a; none of any where one lies elsewhere, or none is for training."""
    parts = {name: part_named(name.split("/")[0]) if "/" in name else "" for name in names}
    return parts if TRAINING in parts.values() and all(parts.values()) else {}


def _drawn(names: list[str], groups: list[str], fraction: float, seed: int, fold: int, smallest: int) -> dict[str, str]:
    order = np.random.default_rng(seed).permutation(list(dict.fromkeys(groups)))
    size = max(float(smallest), fraction * len(order))
    start = round(fold * size) if fold >= 0 else len(order)
    chosen = set(order[start : round((fold + 1) * size)].tolist())
    return {name: VALIDATION if group in chosen else TRAINING for name, group in zip(names, groups)}


def _listed(root: Path, names: Sequence[str]) -> dict[str, str]:
    """The names in dataset.json's `validation` list, whose entries are paths or {"image": path}."""
    path = root / "dataset.json"
    if not path.is_file():
        return {}
    content = read_json(path)
    try:
        entries = content.get("validation", [])
        images = [without_ending(Path(entry["image"] if isinstance(entry, dict) else entry)) for entry in entries]
    except (KeyError, AttributeError, TypeError) as error:
        raise InputError(
            path, expected="JSON as the Medical Segmentation Decathlon has it", got=error, fix="correct the file"
        ) from error
    listed = {without_image_folder(image) for image in images}
    unknown = listed - set(names)
    if unknown:
        raise InputError(
            path, expected="a validation list of images that exist",
            got=f"{len(unknown)} unknown, such as {min(unknown)}", fix="correct the list",
        )  # fmt: skip
    return dict.fromkeys(listed, VALIDATION)
