"""What is known of a subject besides its image, such as its age, as the numbers that a template varies by."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from monai.transforms import Transform
from torch import Tensor

from shared.errors import InputError
from shared.files import read_table

ID = "id"  # the column of the cases' names
Columns = Mapping[str, Sequence[float] | Sequence[str]]  # by name, mean and standard deviation, or the categories


def width(columns: Columns) -> int:
    """How many numbers `encode` gives. Raises InputError where a column is neither two numbers nor names."""
    return sum(len(entry) if _is_categorical(name, entry) else 1 for name, entry in columns.items())


def encode(columns: Columns, attributes: Mapping[str, Any], source: object) -> Tensor:
    """(K,), float32: a number less its mean over its standard deviation, a category as 1 of as many numbers.

    What `attributes` lacks is 0, which is the mean. source: what messages call them. Raises InputError for an attribute
    of another name, what is no number, and an unknown category.
    """
    unknown = [name for name in attributes if name not in columns]
    if unknown:
        known = ", ".join(columns) or "none"
        raise InputError(source, expected=f"attributes of the template ({known})", got=unknown[0], fix="correct it")
    codes = [code for name, entry in columns.items() for code in _codes(name, entry, attributes.get(name), source)]
    return torch.tensor(codes, dtype=torch.float32)


class AttributeTable:
    """The attributes in a CSV file with a column `id` and one for each of `columns`; others are passed over.

    Without such a file all attributes are 0.
    """

    def __init__(self, path: str | Path, columns: Columns) -> None:
        self.path = Path(path)
        self.columns = columns

    def codes_of(self, case: str) -> Tensor:
        """(K,), see `encode`. Raises InputError where the table lacks the case or a column."""
        if not self.rows:
            return torch.zeros(width(self.columns))
        if case not in self.rows:
            raise InputError(self.path, expected=f"a row of {case}", got="none of that id", fix="add it")
        row = self.rows[case]
        return encode(self.columns, {name: row[name] for name in self.columns}, f"{self.path}, {case}")

    @cached_property
    def rows(self) -> dict[str, dict[str, str]]:
        """By id. Raises InputError for a missing column, or an id that is repeated."""
        table = read_table(self.path)
        missing = [name for name in (ID, *self.columns) if table and name not in table[0]]
        if missing:
            raise InputError(
                self.path, expected=f"the columns {', '.join((ID, *self.columns))}", got=f"no {missing[0]}",
                fix="add it, or name others by --columns",
            )  # fmt: skip
        rows = {row[ID].strip(): row for row in table}
        if len(rows) < len(table):
            raise InputError(self.path, expected="each id once", got="one again", fix="remove the row")
        return rows


class AttributeCodesd(Transform):
    """Add "codes", (K,), of the "case" by its row of the `table`."""

    def __init__(self, table: AttributeTable) -> None:
        self.table = table

    def __call__(self, data: Mapping[str, Any]) -> dict[str, Any]:
        return {**data, "codes": self.table.codes_of(data["case"])}


def _codes(name: str, entry: Sequence[Any], value: Any, source: object) -> list[float]:
    if not _is_categorical(name, entry):
        mean, deviation = entry
        return [0.0 if value in (None, "") else (_number(name, value, source) - mean) / deviation]
    if value in (None, ""):
        return [0.0] * len(entry)
    if str(value) not in entry:
        raise InputError(source, expected=f"{name} of {', '.join(entry)}", got=value, fix="correct it")
    return [float(str(value) == category) for category in entry]


def _number(name: str, value: Any, source: object) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise InputError(source, expected=f"a number as {name}", got=repr(value), fix="correct it") from None


def _is_categorical(name: str, entry: Sequence[Any]) -> bool:
    if isinstance(entry, list | tuple) and entry:
        if all(isinstance(part, str) for part in entry):
            return True
        numbers = [part for part in entry if isinstance(part, int | float)]
        if len(numbers) == len(entry) == 2 and numbers[1] > 0:
            return False
    raise InputError(
        "--columns", expected=f"of {name} its mean and standard deviation, or its categories", got=entry,
        fix="correct it, such as {'age': [50, 20], 'sex': ['F', 'M']}",
    )  # fmt: skip
