"""Finding the images from which pairs are drawn for training and evaluation, each with its label map if it has one."""

import re
from pathlib import Path

import numpy as np

from shared.errors import InputError
from shared.images.cases import Case, find_cases, find_labelled_cases
from shared.images.layouts import LABEL_FOLDERS, labelled_folders
from shared.images.raster import RASTER_ENDINGS, split_slice
from shared.images.reading import without_ending
from shared.images.splits import choose_part, split_by_name
from shared.tasks.registration.cases import PAIRS_FILE, find_pairs

# How the label map beside an image is called: a_seg24.nii.gz, a-label.nii.gz, mask.png.
LABEL_NAME = re.compile(r"(^|[_\-.])(labels?|seg(mentation)?|mask)\d*$", re.IGNORECASE)


def find_subjects(dataset_dir: str | Path, label_suffix: str = "", output_dir: str | Path | None = None) -> list[Case]:
    """The images below `dataset_dir`, each {"case": name, "image": path} and, if labelled, "label".

    Pictures beside scans, as previews are, are none of them.
    Labels are in labelsTr/ beside imagesTr/, in labels/ beside images/, or beside their image: named like it, or with
    it alone in a folder, and with an ending such as _seg, _seg24, _label or _mask. label_suffix: chooses one of
    several. An image alone in its folder is named after the folder. output_dir: of results, which are passed over.
    Raises InputError for several labels of an image, labels for some images only, or no image at all.
    """
    root = Path(dataset_dir)
    if labelled_folders(root):
        cases = find_labelled_cases(root)
        return _checked(root, [{**case, "case": _name(root, root / case["case"])} for case in cases])
    found = _of_one_kind([Path(case["image"]) for case in find_cases(root, output_dir)])
    labels = [path for path in found if LABEL_NAME.search(without_ending(path).name)]
    images = [path for path in found if path not in set(labels)]
    beside: dict[Path, list[Path]] = {}
    for path in images:
        beside.setdefault(path.parent, []).append(path)
    subjects = []
    for path in images:
        alone = len(beside[path.parent]) == 1 and path.parent != root
        own = [
            label for label in labels
            if label.parent == path.parent and (alone or LABEL_NAME.sub("", _stem(label)) == _stem(path))
        ]  # fmt: skip
        chosen = [label for label in own if _stem(label).endswith(label_suffix)] if len(own) > 1 else own
        if len(chosen) != 1 and own:
            raise InputError(
                path, expected="one label map beside it", got=", ".join(label.name for label in own),
                fix="choose one by its ending with --label_suffix",
            )  # fmt: skip
        name = _stem(root) if path == root else _name(root, path.parent if alone else without_ending(path))
        subjects.append({"case": name, "image": str(path), **({"label": str(chosen[0])} if chosen else {})})
    return _checked(root, subjects)


def split_subjects(
    dataset_dir: str | Path, *, label_suffix: str = "", fraction: float = 0.15, seed: int = 0
) -> dict[str, list[Case]]:
    """The subjects as {"training": [...], "validation": [...], "all": [...]}, as `split_cases` splits cases.

    Both parts have at least two, so that pairs can be made.
    """
    subjects = find_subjects(dataset_dir, label_suffix)
    names = [subject["case"] for subject in subjects]
    return split_by_name(dataset_dir, subjects, names, fraction=fraction, seed=seed, smallest=2)


def ring_of_pairs(subjects: list[Case], seed: int = 0) -> list[Case]:
    """As many pairs as subjects, each of which is once the moving and once the fixed image, in an order by `seed`."""
    order = np.random.default_rng(seed).permutation(len(subjects)).tolist()
    return [pair_of(subjects[m], subjects[f]) for m, f in zip(order, order[1:] + order[:1])]


def pair_of(moving: Case, fixed: Case) -> Case:
    """Two subjects as a pair, in the keys of `find_pairs`."""
    pair = {"case": f"{moving['case']}_to_{fixed['case']}".replace("/", "_")}
    for role, subject in (("moving", moving), ("fixed", fixed)):
        pair[role] = subject["image"]
        if "label" in subject:
            pair[f"{role}_label"] = subject["label"]
    return pair


def select_pairs(
    dataset_dir: str | Path, *, part: str = "all", label_suffix: str = "", fraction: float = 0.15, seed: int = 0
) -> list[Case]:
    """The pairs that pairs.csv lists, or else a ring of the subjects of a part: "all", "training" or "validation"."""
    root = Path(dataset_dir)
    if root.is_file() or (root / PAIRS_FILE).is_file():
        return find_pairs(root)
    subjects = select_subjects(root, part=part, label_suffix=label_suffix, fraction=fraction, seed=seed)
    if len(subjects) < 2:
        raise InputError(root, expected=f"{PAIRS_FILE}, or two images or more", got="one image", fix="add images")
    return ring_of_pairs(subjects, seed)


def select_subjects(
    dataset_dir: str | Path, *, part: str = "all", label_suffix: str = "", fraction: float = 0.15, seed: int = 0
) -> list[Case]:
    """The subjects of a part: "all", "training" or "validation"."""
    return choose_part(
        part,
        lambda: find_subjects(dataset_dir, label_suffix),
        lambda: split_subjects(dataset_dir, label_suffix=label_suffix, fraction=fraction, seed=seed),
    )


def _of_one_kind(paths: list[Path]) -> list[Path]:
    """The scans among images, or all of them where there are none: pictures."""
    scans = [path for path in paths if not split_slice(path)[0].name.lower().endswith(RASTER_ENDINGS)]
    return scans or paths


def _stem(path: Path) -> str:
    return without_ending(path).name


def _name(root: Path, path: Path) -> str:
    """`path` below `root`, and below a folder of images such as imagesTr/."""
    parts = path.relative_to(root).parts
    return "/".join(parts[1:] if len(parts) > 1 and parts[0] in LABEL_FOLDERS else parts)


def _checked(root: Path, subjects: list[Case]) -> list[Case]:
    labelled = sum("label" in subject for subject in subjects)
    if labelled not in (0, len(subjects)):
        raise InputError(
            root, expected="a label map beside every image or beside none", got=f"{labelled} of {len(subjects)}",
            fix="add the missing ones, or move the others away",
        )  # fmt: skip
    if not subjects:
        raise InputError(root, expected="images", got="label maps alone", fix="check --dataset_dir")
    named: dict[str, Case] = {}
    for subject in subjects:
        other = named.setdefault(subject["case"].replace("/", "_"), subject)
        if other is not subject:
            raise InputError(
                subject["image"], expected="one image of its name, which its pairs will bear",
                got=f"also {other['image']}", fix="rename one of them or its folder",
            )  # fmt: skip
    return subjects
