"""What was measured: rows of figures, and their ratios to what is shipped."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Row = dict[str, Any]


@dataclass
class Table:
    """Methods measured side by side.

    caption: what was measured, in a line. rows: "method" and its figures, by the keys of `FIGURES`; the first is what
    is shipped. notes: lines on methods, such as why one has no figures.
    """

    caption: str
    rows: list[Row]
    notes: list[str] = field(default_factory=list)


class Measured(NamedTuple):
    """The tables of a bundle."""

    bundle: str
    tables: Sequence[Table]


class Figure(NamedTuple):
    """A column of a table, and that of its ratio to the first row's, if it has one."""

    key: str
    title: str
    ratio: str = ""


FIGURES = (
    Figure("median_ms", "median ms", "× time"),
    Figure("min_ms", "min ms"),
    Figure("images_per_s", "images/s", "× rate"),
    Figure("first_s", "first result s", "× first"),
    Figure("cases_per_s", "cases/s", "× rate"),
    Figure("whole_s", "whole s"),
    Figure("cpu_s", "CPU s"),
    Figure("pair_s", "s a pair", "× time"),
    Figure("peak_mib", "peak MiB", "× memory"),
    Figure("device_mib", "GPU MiB", "× GPU"),
    Figure("start_s", "start-up s", "× start-up"),
)


def with_ratios(rows: Sequence[Row]) -> list[Row]:
    """`rows` under the titles of their columns, with their ratios to the first; None where there is no figure."""
    first = rows[0]
    present = [figure for figure in FIGURES if any(figure.key in row for row in rows)]
    titled: list[Row] = []
    for row in rows:
        cells: Row = {"method": row["method"]}
        for key, title, ratio in present:
            cells[title] = row.get(key)
            if ratio:
                cells[ratio] = row[key] / first[key] if key in row and key in first else None
        titled.append(cells)
    return titled
