"""Which label is which image's, in folders of images and of labels beside them."""

import re
from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path

from shared.errors import InputError

CHANNEL = re.compile(r".*_\d{4}")  # how nnU-Net ends names, with the number of a channel


def labels_of(images: Sequence[Mapping[str, str]], labels: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """The path of the label of each image, by its name, that has one: the label of that name.

    Where no name is in both, the names count less what all images begin and end with, and all labels, if each image
    has a label then: `a_0000` and `b_0000` with `a` and `b` (nnU-Net), `21_training` with `21_manual1` (DRIVE).
    images, labels: cases, of their folders (see `find_cases`).
    """
    path_of = {case["case"]: case["image"] for case in labels}
    names = [case["case"] for case in images]
    equal = {name: path_of[name] for name in names if name in path_of}
    if not equal and len(names) > 1:
        label_of = dict(zip(_cores([*path_of]), path_of.values()))
        cores = _cores(names)
        if label_of.keys() >= {*cores}:
            return {name: label_of[core] for name, core in zip(names, cores)}
    return equal


def without_label(case: Mapping[str, str], folder: Path) -> InputError:
    """What is wrong with a case that none of the labels in `folder` is of."""
    name = case["case"]
    merge = "; channels in files of their own are to be merged into one file of 4 dimensions"
    return InputError(
        case["image"], expected=f"a label named {name}.* in {folder}", got="none, or several of that name",
        fix=f"add the label or move the image away{merge if CHANNEL.fullmatch(name) else ''}",
    )  # fmt: skip


def _cores(names: Sequence[str]) -> list[str]:
    """The names less what all of them begin and end with."""
    for _ in range(2):  # the second time what they end with, read backwards
        common = sum(1 for _ in takewhile(lambda letters: len({*letters}) == 1, zip(*names)))
        names = [name[common:][::-1] for name in names]
    return list(names)
