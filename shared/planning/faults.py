"""What is wrong with a data set: everything is found before anything is reported."""

import logging
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from shared.errors import InputError
from shared.images.cases import find_cases
from shared.images.layouts import TRAINING, VALIDATION, labelled_folders
from shared.images.lookalikes import lookalikes
from shared.images.pairing import labels_of, without_label
from shared.planning.seen import Looks

SHOWN = 10  # lines that differ in paths and numbers alone
PATH_OR_NUMBER = re.compile(r"\S*/\S*|\d+")

T = TypeVar("T")
S = TypeVar("S")


@dataclass
class Faults:
    """errors: what no training could be made with. warnings: what makes its figures doubtful."""

    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def add(self, error: InputError) -> None:
        self.errors.append(str(error))

    def refuse(self, dataset_dir: Path) -> None:
        """Print each in a line, of many alike the first. Raises InputError where there are errors."""
        for kind, lines in (("bad data", self.errors), ("warning", self.warnings)):
            for line in _shortened(lines):
                print(f"{kind}: {line}")
        if self.errors:
            raise InputError(
                dataset_dir, expected="a data set that can be trained on", got=f"{len(self.errors)} faults, see above",
                fix="correct these files, or move them away",
            )  # fmt: skip


def looked_at(cases: Sequence[T], look: Callable[[T], S], faults: Faults) -> list[S]:
    """What `look` gives of each case, with a progress bar; of those for which it raises InputError a fault."""
    seen = []
    with logged(faults):
        for case in tqdm(cases, desc="looking", unit="case", delay=2, leave=False, disable=None):
            try:
                seen.append(look(case))
            except InputError as error:
                faults.add(error)
    return seen


def _shortened(lines: Sequence[str]) -> Iterator[str]:
    """The lines, in their order; of more than SHOWN that differ in paths and numbers alone, the first and a count."""
    kinds = [PATH_OR_NUMBER.sub("", line) for line in lines]
    total, met = Counter(kinds), Counter[str]()
    for line, kind in zip(lines, kinds):
        met[kind] += 1
        if met[kind] <= SHOWN:
            yield line
        elif met[kind] == total[kind]:
            yield f"… and {total[kind] - SHOWN} more of that kind"


class _Warnings(logging.Handler):
    """Takes what readers log for warnings of `faults`."""

    def __init__(self, faults: Faults) -> None:
        super().__init__(logging.WARNING)
        self.faults = faults

    def emit(self, record: logging.LogRecord) -> None:
        self.faults.warnings.append(record.getMessage())


@contextmanager
def logged(faults: Faults) -> Iterator[None]:
    """What readers log within is among the warnings, and not printed at once."""
    logger, handler = logging.getLogger("shared"), _Warnings(faults)
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = True


def unlabelled(root: Path) -> Iterator[InputError]:
    """Of each image in a folder of images that no label of its name lies beside."""
    for images, labels in labelled_folders(root):
        found = find_cases(images)
        label_of = labels_of(found, find_cases(labels))
        yield from (without_label(case, labels) for case in found if case["case"] not in label_of)


def outvoted(name: str, of_case: Mapping[str, Any]) -> Iterator[InputError]:
    """Of each image whose `name`, such as its dimensions, is another than most have. of_case: by the image's path."""
    usual = Counter(of_case.values()).most_common(1)[0][0] if of_case else None
    for path, value in of_case.items():
        if value != usual:
            yield InputError(
                path, expected=f"{name}: {usual}, as of most", got=value, fix="convert the image, or move it away"
            )


def outvoted_channels(looks: Mapping[str, Looks]) -> Iterator[InputError]:
    """Of each image with other channels than most; gray pictures among colours, which are converted, are no fault."""
    counted = {path: one.channels for path, one in looks.items() if len(one.size) == 3 or one.channels not in (1, 3)}
    return outvoted("channels", counted)


def across_parts(parts: Mapping[str, Sequence[Mapping[str, Any]]], *, pictures: bool) -> Iterator[str]:
    """A line for each pair of pictures that look alike across training and validation. parts: cases by part."""
    if not pictures:
        return
    training, validation = parts[TRAINING], parts[VALIDATION]
    for i, j in lookalikes([case["image"] for case in training], [case["image"] for case in validation]):
        yield f"{training[i]['image']} of training and {validation[j]['image']} of validation look alike"


def repeated(images: Iterable[tuple[str, str]]) -> Iterator[str]:
    """A line for each image that is another's equal, value by value. images: path and digest of each."""
    first: dict[str, str] = {}
    for path, digest in images:
        other = first.setdefault(digest, path)
        if other != path:
            yield f"{path} holds what {other} holds"
