"""Finding the cases of a dataset folder, with or without labels, and splitting them."""

import os
from collections.abc import Iterator
from pathlib import Path, PurePath

from shared.errors import InputError
from shared.images.dicom import is_dicom_series
from shared.images.layouts import LABEL_FOLDERS, labelled_folders, without_image_folder
from shared.images.reading import ENDINGS, without_ending
from shared.images.splits import choose_part, split_by_name

Case = dict[str, str]  # "case": name; "image": path; "label": path, where there is one


def find_cases(dataset_dir: str | Path, output_dir: str | Path | None = None) -> list[Case]:
    """Every image below `dataset_dir` (or the one file or DICOM series it names), sorted by case name.

    A case is named by its path below `dataset_dir` without the ending. Hidden files, label folders beside image
    folders, and `output_dir` are passed over. Raises InputError where there is no image.
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
    for path in _walk(root, skipped):
        name = path.resolve().name if path == root else without_ending(path).relative_to(root).as_posix()
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
    """The images of `dataset_dir` that have a label of equal name: imagesTr/ + labelsTr/, images/ + labels/ or masks/.

    Where there are none, those in its folders train/, val/, …. Raises InputError where no such pair of folders exists
    or an image has no label.
    """
    root = Path(dataset_dir)
    folders = labelled_folders(root)
    if not folders:
        raise InputError(
            root,
            expected="the folders imagesTr/ and labelsTr/, or images/ and labels/ or masks/",
            got=f"{_listing(root)}",
            fix="arrange the data set in one of these layouts",
        )
    return [case for images, labels in folders for case in _labelled(root, images, labels)]


def _labelled(root: Path, images: Path, labels: Path) -> list[Case]:
    label_of = {case["case"]: case["image"] for case in find_cases(labels)}
    cases = []
    for case in find_cases(images):
        if case["case"] not in label_of:
            raise InputError(
                case["image"],
                expected=f"a label named {case['case']}.* in {labels}",
                got="none",
                fix="add the label or remove the image",
            )
        name = (images.relative_to(root) / case["case"]).as_posix()
        cases.append({"case": name, "image": case["image"], "label": label_of.pop(case["case"])})
    return cases


def split_cases(
    dataset_dir: str | Path, *, fraction: float = 0.15, seed: int = 0, fold: int = 0
) -> dict[str, list[Case]]:
    """The labelled cases as {"training": [...], "validation": [...], "all": [...]}, "test" where the folders have one.

    A `validation` list in dataset.json decides, or folders train/, val/ and test/ of images; else the names, sorted,
    are shuffled by `seed`, and the `fold`-th `fraction` of them (at least one) is for validation: fraction 1/k and
    folds 0 … k - 1 make k-fold cross-validation. Raises InputError where a part would be empty, or there is no such
    fold.
    """
    cases = find_labelled_cases(dataset_dir)
    names = [without_image_folder(PurePath(case["case"])) for case in cases]
    return split_by_name(dataset_dir, cases, names, fraction=fraction, seed=seed, fold=fold)


def select_cases(
    dataset_dir: str | Path, *, part: str = "all", fraction: float = 0.15, seed: int = 0, fold: int = 0
) -> list[Case]:
    """The labelled cases of one part: "all", "training" or "validation" (see `split_cases`)."""
    return choose_part(
        part,
        lambda: find_labelled_cases(dataset_dir),
        lambda: split_cases(dataset_dir, fraction=fraction, seed=seed, fold=fold),
    )


def _walk(folder: Path, skipped: set[Path]) -> Iterator[Path]:
    """The images below `folder`, and the folders that hold a DICOM series. Adds where it has been to `skipped`."""
    if folder.resolve() in skipped:
        return
    skipped.add(folder.resolve())
    try:
        entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
        if is_dicom_series(folder):
            yield folder
    except OSError as error:
        raise InputError(
            folder, expected="a folder that may be read", got=error.strerror, fix="change its permissions"
        ) from error
    labels = {label for image, beside in LABEL_FOLDERS.items() if folder / image in entries for label in beside}
    for entry in entries:
        if entry.is_dir() and entry.name not in labels:
            yield from _walk(entry, skipped)
        elif entry.is_file() and entry.name.lower().endswith(ENDINGS):
            yield entry


def _listing(folder: Path) -> str:
    if not folder.is_dir():
        return "no such folder"
    return ", ".join(sorted(entry.name for entry in folder.iterdir())[:8]) or "an empty folder"
