"""How well a segmentation of heads does on scans that are made worse, and what it says of that itself."""

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shared.door import OpenBundle
from shared.files import read_table, write_table
from shared.images.cases import Case
from shared.images.reading import read_ids, read_image
from shared.studies.head_perturbing import PERTURBATIONS, Head
from shared.studies.no_heads import NO_HEADS
from shared.tasks.segmentation.metrics import mean_dice

NOTHING = "none"  # the perturbation of a head as it is
NO_HEAD = "no head"  # and of what is none


@dataclass(frozen=True)
class Answer:
    """What was made of one image.

    weights: which of the network. contrast: of the scan. dice: the mean over the structures of the reference, NaN of
    what has none. quality: that of `summary.csv`.
    """

    weights: str
    head: str
    contrast: str
    perturbation: str
    level: float
    dice: float
    quality: float


def contrast_of(case: str) -> str:
    """What the name of a case ends in: T1 of a_t1."""
    return case.rpartition("_")[2].upper()


def chosen(cases: Sequence[Case], count: int) -> list[tuple[int, Case]]:
    """`count` cases of each contrast, evenly over their order, or all with 0, each with a number among all."""
    contrasts: dict[str, list[Case]] = {}
    for case in cases:
        contrasts.setdefault(contrast_of(case["case"]), []).append(case)
    some = [
        group[index]
        for group in contrasts.values()
        for index in dict.fromkeys(np.linspace(0, len(group) - 1, count or len(group)).round().astype(int).tolist())
    ]
    return list(enumerate(some))


def answers(
    opened: OpenBundle, heads: Sequence[tuple[int, Case]], table: Path, *, weights: str
) -> Iterator[list[Answer]]:
    """What `opened` makes of each head, as it is and perturbed, and of what is no head: a list each.

    table: where answers are kept after each list; those by the same `weights` are not made again.
    """
    kept = read_answers(table)
    for name, work in [*((case["case"], (number, case)) for number, case in heads), (NO_HEAD, None)]:
        found = [answer for answer in kept if (answer.weights, answer.head) == (weights, name)]
        if not found:
            found = list(_of_head(opened, weights, *work) if work else _of_no_heads(opened, weights))
            kept += found
            write_table(table, [vars(answer) for answer in kept])
        yield found


def read_answers(table: Path) -> list[Answer]:
    numbers = ("level", "dice", "quality")
    return [Answer(**row | {name: float(row[name]) for name in numbers}) for row in read_table(table)]  # type: ignore[arg-type]


def _of_head(opened: OpenBundle, weights: str, number: int, case: Case) -> Iterator[Answer]:
    head = Head(read_image(case["image"]), _classes(opened, case["label"]), number)
    make = functools.partial(Answer, weights, case["case"], contrast_of(case["case"]))
    names = opened.part("class_names")
    yield make(NOTHING, 0.0, *_scored(opened, head, len(names)))
    for name, perturbation in PERTURBATIONS.items():
        for level in perturbation.levels:
            yield make(name, level, *_scored(opened, perturbation.change(head, level), len(names)))


def _of_no_heads(opened: OpenBundle, weights: str) -> Iterator[Answer]:
    for name, image in NO_HEADS.items():
        yield Answer(weights, NO_HEAD, "", name, 0.0, float("nan"), opened.predict(image()).quality)


def _classes(opened: OpenBundle, label: str) -> np.ndarray:
    """(*S), uint8: the class of each voxel of a file of the bundle's `label_values`."""
    values = opened.part("label_values")
    table = np.zeros(max(values) + 1, dtype=np.uint8)
    table[values] = range(len(values))
    return table[read_ids(label).values[0]]


def _scored(opened: OpenBundle, head: Head, num_classes: int) -> tuple[float, float]:
    """Dice and quality."""
    found = opened.predict(head.image)
    return mean_dice(found.labels, head.reference, num_classes), found.quality
