"""Finding the cases of a dataset folder, with or without labels, and splitting them."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePath
from typing import NamedTuple

from shared.errors import InputError
from shared.files import is_visible
from shared.images.beside import with_labels_beside
from shared.images.dicom_series import is_dicom, series_of_folder
from shared.images.layouts import LABEL_FOLDERS, labelled_folders, without_image_folder
from shared.images.pairing import labels_of, without_label
from shared.images.passed import PassedOver
from shared.images.raster import RASTER_ENDINGS, slice_names
from shared.images.reading import ENDINGS_OF, without_ending
from shared.images.splits import by_patient, choose_part, split_by_name

Case = dict[str, str]  # "case": name; "image": path; "label": path, where there is one


DATA_ENDINGS = (".img", ".raw", ".zraw")  # of files whose headers are the cases


class Found(NamedTuple):
    """An image, the path that it is named by, and what its name has besides."""

    path: Path
    named: Path
    addition: str = ""


@dataclass(frozen=True)
class Survey:
    """What a data set holds: its cases, and what was passed over."""

    cases: list[Case]
    passed: PassedOver


def find_cases(
    dataset_dir: str | Path, output_dir: str | Path | None = None, *, kinds: Sequence[str] = tuple(ENDINGS_OF)
) -> list[Case]:
    """Every image below `dataset_dir` (or the one file or DICOM series it names), by case name: see `survey`."""
    return survey(dataset_dir, output_dir, kinds=kinds).cases


def survey(
    dataset_dir: str | Path, output_dir: str | Path | None = None, *, kinds: Sequence[str] = tuple(ENDINGS_OF)
) -> Survey:
    """The cases of `dataset_dir`, sorted by name, and what was found there and passed over.

    A case is named by its path below `dataset_dir` without the ending; where several would have one name, with it. A
    slice of a stack is a case of its own: `stack/z003`, of the image `stack.tif#z003`; so is one of several DICOM
    series in a folder, named by the folder, the series' number and description. Hidden files, label folders beside
    image folders, and `output_dir` are passed over. kinds: "raster", "volume" or both.
    Raises InputError where there is no image.
    """
    root = Path(dataset_dir)
    if not root.exists():
        raise InputError(root, expected="a folder or an image", got="nothing there", fix="check --dataset_dir")
    passed = PassedOver()
    if root.is_file():
        return Survey(_named(root.parent, list(_slices(root, passed))), passed)
    skipped = {Path(output_dir).resolve()} if output_dir else set()
    if root.resolve() in skipped:
        raise InputError(
            root,
            expected="results in a folder of their own",
            got="the images' folder",
            fix="choose another --output_dir",
        )
    images = list(_walk(root, skipped, kinds, passed))
    if not images:
        endings = ", ".join(ending for kind in kinds for ending in ENDINGS_OF[kind])
        found = sum(len(files) for _, _, files in os.walk(root))
        raise InputError(
            root,
            expected=f"images ({endings}{' or DICOM series' * ('volume' in kinds)})",
            got=f"{found} files, none of them an image",
            fix="check --dataset_dir",
        )
    return Survey(_named(root, images), passed)


def find_labelled_cases(dataset_dir: str | Path) -> list[Case]:
    """The images of `dataset_dir` with their labels: imagesTr/ + labelsTr/, images/ + labels/ or masks/ or the like.

    Whose label is whose is told by the names (see `labels_of`).
    Where there are none, those in its folders train/, val/, …, or else the images with a label beside them, such as
    `a_seg.nii.gz`. Raises InputError where there are none of these either, or an image has no label.
    """
    root = Path(dataset_dir)
    folders = labelled_folders(root)
    cases = [case for images, labels in folders for case in _labelled(root, images, labels)]
    if not folders and root.is_dir():
        cases = with_labels_beside(root, find_cases(root))
    if not cases:
        raise InputError(
            root,
            expected="the folders imagesTr/ and labelsTr/, or images/ and labels/ or masks/, or labels such as "
            "a_seg.nii.gz beside a.nii.gz",
            got=f"{_listing(root)}",
            fix="arrange the data set in one of these layouts",
        )
    return cases


def _labelled(root: Path, images: Path, labels: Path) -> list[Case]:
    found = find_cases(images)
    label_of = labels_of(found, find_cases(labels))
    for case in found:
        if case["case"] not in label_of:
            raise without_label(case, labels)
    return [
        {
            "case": (images.relative_to(root) / case["case"]).as_posix(),
            "image": case["image"],
            "label": label_of[case["case"]],
        }
        for case in found
    ]


def split_cases(
    dataset_dir: str | Path, *, fraction: float = 0.15, seed: int = 0, fold: int = 0, patient: str = ""
) -> dict[str, list[Case]]:
    """The labelled cases as {"training": [...], "validation": [...], "all": [...]}, "test" where the folders have one.

    A `validation` list in dataset.json decides, or folders train/, val/ and test/ of images; else the names, sorted,
    are shuffled by `seed`, and the `fold`-th `fraction` of them (at least one) is for validation: fraction 1/k and
    folds 0 … k - 1 make k-fold cross-validation. patient: what of a name is the patient's, whose cases are drawn
    together (see `by_patient`). Raises InputError where a part would be empty, or there is no such fold.
    """
    cases = find_labelled_cases(dataset_dir)
    names = [without_image_folder(PurePath(case["case"])) for case in cases]
    return split_by_name(
        dataset_dir, cases, names, fraction=fraction, seed=seed, fold=fold, grouped=by_patient(patient)
    )


def select_cases(
    dataset_dir: str | Path,
    *,
    part: str = "all",
    fraction: float = 0.15,
    seed: int = 0,
    fold: int = 0,
    only: str = "*",
    patient: str = "",
) -> list[Case]:
    """The labelled cases of one part: "all", "training" or "validation" (see `split_cases`).

    only: of those, the ones whose names match, such as `*_t1`. Raises InputError where none does.
    """
    cases = choose_part(
        part,
        lambda: find_labelled_cases(dataset_dir),
        lambda: split_cases(dataset_dir, fraction=fraction, seed=seed, fold=fold, patient=patient),
    )
    chosen = [case for case in cases if fnmatchcase(case["case"], only)]
    if not chosen:
        raise InputError(
            "--only", expected=f"what matches one of {len(cases)} names, such as {cases[0]['case']}", got=only,
            fix="correct it",
        )  # fmt: skip
    return chosen


def _walk(folder: Path, skipped: set[Path], kinds: Sequence[str], passed: PassedOver) -> Iterator[Found]:
    """The images and DICOM series below `folder`. Adds what else there is to `passed`.

    Adds where it has been to `skipped`.
    """
    if folder.resolve() in skipped:
        return
    skipped.add(folder.resolve())
    try:
        entries = sorted(entry for entry in folder.iterdir())
        series = series_of_folder(folder) if "volume" in kinds else []
    except OSError as error:
        raise InputError(
            folder, expected="a folder that may be read", got=error.strerror, fix="change its permissions"
        ) from error
    for addition, path in series:
        yield Found(path, folder, addition)
    labels = {label for image, beside in LABEL_FOLDERS.items() if folder / image in entries for label in beside}
    endings = tuple(ending for kind in kinds for ending in ENDINGS_OF[kind])
    for entry in entries:
        if not is_visible(entry.name):
            passed.hidden += 1
        elif entry.is_dir() and entry.name not in labels:
            yield from _walk(entry, skipped, kinds, passed)
        elif entry.is_file() and entry.name.lower().endswith(endings):
            yield from _slices(entry, passed)
        elif entry.is_file() and not (series and is_dicom(entry)) and entry.suffix.lower() not in DATA_ENDINGS:
            passed.add_file(entry.name, entry.suffix.lower())
        elif not entry.exists():
            passed.links.append(entry.name)
        elif not entry.is_dir() and not entry.is_file():  # nothing that could be read to its end
            passed.add_file(entry.name, "pipe, socket or device")


def _slices(file: Path, passed: PassedOver) -> Iterator[Found]:
    """`file`, or the slices of a stack; pages that are none are added to `passed`."""
    names, unread = slice_names(file) if file.name.lower().endswith(RASTER_ENDINGS) else ([""], 0)
    if unread:
        passed.pages[file.name] = unread
    for name in names:
        path = file.with_name(f"{file.name}#{name}") if name else file
        yield Found(path, path)


def _named(root: Path, images: Sequence[Found]) -> list[Case]:
    """Cases by the paths that name their images, below `root` and without the ending where that tells them apart."""
    names = [
        without_ending(found.named).relative_to(root).as_posix() if found.named != root else root.resolve().name
        for found in images
    ]
    names = [_as_text(name + found.addition) for name, found in zip(names, images)]
    count = Counter(names)
    cases: dict[str, Case] = {}
    for found, name in zip(images, names):
        if count[name] > 1 and found.named != root:
            name = _as_text(found.path.relative_to(root).as_posix())
        if name in cases:
            raise InputError(
                found.path, expected="one image of its name, which its results will bear", fix="rename one of them",
                got=f"also {cases[name]['image']}",
            )  # fmt: skip
        cases[name] = {"case": name, "image": str(found.path)}
    return [cases[name] for name in sorted(cases)]


def _as_text(name: str) -> str:
    """`name` as tables can hold it: what no UTF-8 stands for, in names of older systems, becomes �."""
    return os.fsencode(name).decode(errors="replace")


def _listing(folder: Path) -> str:
    if not folder.is_dir():
        return "no such folder"
    return ", ".join(sorted(entry.name for entry in folder.iterdir())[:8]) or "an empty folder"
