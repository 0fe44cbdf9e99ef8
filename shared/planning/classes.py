"""The classes of a segmentation: from dataset.json, or else from what the label maps hold."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.errors import InputError
from shared.files import read_json
from shared.planning.seen import Seen

MOST = 256  # classes that 8 bits can name


@dataclass(frozen=True)
class Classes:
    """names: of the classes, the background first. values: what stands for them in label maps, in their order."""

    names: list[str]
    values: list[int]

    @property
    def other_values(self) -> list[int]:
        """The values where they are not the classes' places; else nothing."""
        return [] if self.values == list(range(len(self.values))) else self.values


def described(root: Path) -> dict[str, Any]:
    """The content of dataset.json; nothing without one. Raises InputError where it is no dictionary."""
    path = root / "dataset.json"
    content = read_json(path) if path.is_file() else {}
    if not isinstance(content, dict):
        raise InputError(path, expected="a dictionary", got=type(content).__name__, fix="correct the file")
    return content


def declared_classes(content: Mapping[str, Any], path: Path) -> dict[int, str]:
    """Names by value, of the `labels` of a dataset.json: {"1": "liver"} or, as nnU-Net has it, {"liver": 1}."""
    labels = content.get("labels") or {}
    try:
        pairs = [(key, value) if str(key).isdecimal() else (value, key) for key, value in labels.items()]
        return {int(value): str(name) for value, name in sorted(pairs, key=lambda pair: int(pair[0]))}
    except (AttributeError, TypeError, ValueError) as error:
        raise InputError(
            path, expected='labels such as {"0": "background", "1": "liver"}', got=labels, fix="correct the file"
        ) from error


def found_classes(seen: Sequence[Seen], declared: Mapping[int, str]) -> Classes:
    """The `declared` classes, or else one for each value in the label maps, named after it."""
    if declared:
        return Classes(list(declared.values()), list(declared))
    values = sorted({value for one in seen for value in one.voxels})
    if len(values) == 2:
        return Classes(["background", "foreground"], values)
    return Classes(["background" if value == 0 else f"class_{value}" for value in values], values)


def faults_of_classes(seen: Sequence[Seen], classes: Classes) -> Iterator[InputError]:
    """Of label maps that hold other values than those of `classes`, and of too few or too many classes."""
    for one in seen:
        strange = [str(value) for value in one.voxels if value not in classes.values]
        if strange:
            yield InputError(
                one.case["label"], expected=f"values among {classes.values[:20]}, as dataset.json says",
                got=", ".join(strange[:5]), fix="correct the label, or add the class to dataset.json",
            )  # fmt: skip
    if not 2 <= len(classes.values) <= MOST:
        yield InputError(
            "labels", expected=f"2 to {MOST} classes", got=f"{len(classes.values)} ({classes.values[:5]} …)",
            fix="check the label maps; where each value is an object, give --task instances",
        )  # fmt: skip


def absent_classes(seen: Sequence[Seen], classes: Classes) -> Iterator[str]:
    """A line for each class that no label map holds."""
    present = {value for one in seen for value in one.voxels}
    for name, value in zip(classes.names, classes.values):
        if value not in present:
            yield f"the class {name} ({value}) is in no label map; nothing can learn it"
