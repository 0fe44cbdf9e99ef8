"""Finding the images that atlases are to segment, and the atlases of each."""

import os
from pathlib import Path
from typing import Any

from shared.errors import InputError
from shared.images.cases import Case
from shared.tasks.registration.subjects import find_subjects

LEFT_OUT = "left_out"  # of a case: the atlas that is the target itself


def find_targets(
    dataset_dir: str | Path, atlases: str | Path, *, label_suffix: str = "", output_dir: str | Path | None = None
) -> list[Case]:
    """The images of `dataset_dir`, a folder or a file, each with its atlases, which are those of the folder `atlases`.

    Each is {"case": name, "fixed": path}, with "fixed_label" where there is one, and "atlas_0", "atlas_0_label" and so
    on; "left_out" is the atlas that is the target itself, by whatever name or link.
    label_suffix: see `find_subjects`. output_dir: where results lie, which are no images.
    Raises InputError where there is no image, or an atlas has no label map.
    """
    known = find_atlases(atlases, label_suffix)
    return [_with_atlases(target, known) for target in find_subjects(dataset_dir, label_suffix, output_dir)]


def find_atlases(folder: str | Path, label_suffix: str = "") -> list[Case]:
    """The labelled images of a folder. Raises InputError where there are none."""
    root = Path(folder)
    if not root.is_dir() or not any(root.iterdir()):
        raise InputError(
            "--atlases", expected="a folder of images with label maps", got=root, fix="name one that has some"
        )
    atlases = find_subjects(root, label_suffix)
    if "label" not in atlases[0]:
        raise InputError(
            root, expected="a label map for every atlas, such as a_seg.nii.gz beside a.nii.gz", got="images alone",
            fix="add the label maps, or name another folder by --atlases",
        )  # fmt: skip
    return atlases


def pairs_of(case: dict[str, Any]) -> list[dict[str, Any]]:
    """Each atlas of a case with its target, in the keys of a registered pair.

    The label map of the target takes no part. Raises InputError where the case has no atlas.
    """
    numbers = [key.removeprefix("atlas_") for key in case if key.startswith("atlas_") and key[6:].isdecimal()]
    if not numbers:
        raise InputError(
            f"--atlases, of {case['case']}", expected="an atlas other than the image itself", got="none",
            fix="add images with label maps",
        )  # fmt: skip
    return [
        {
            "case": case["case"],
            "moving": case[f"atlas_{number}"],
            "moving_label": case[f"atlas_{number}_label"],
            "fixed": case["fixed"],
        }
        for number in numbers
    ]


def _with_atlases(target: Case, atlases: list[Case]) -> Case:
    case = {"case": target["case"], "fixed": target["image"]}
    if "label" in target:
        case["fixed_label"] = target["label"]
    for number, atlas in enumerate(atlases):
        if _is_same(atlas["image"], target["image"]):
            case[LEFT_OUT] = atlas["image"]
        else:
            case |= {f"atlas_{number}": atlas["image"], f"atlas_{number}_label": atlas["label"]}
    return case


def _is_same(path: str, other: str) -> bool:
    """Whether two paths, the latter perhaps of one slice of a stack ("FILE#part"), lead to the same image."""
    if os.path.exists(path) and os.path.exists(other):
        return os.path.samefile(path, other)
    return os.path.realpath(path) == os.path.realpath(other)
