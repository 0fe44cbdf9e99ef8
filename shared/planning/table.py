"""What was found, what is concluded from it, and why: for the terminal and for a card."""

import textwrap
from collections.abc import Sequence
from typing import NamedTuple

WIDTHS = (38, 38, 42)  # of the columns on a terminal
HEAD = ("found", "concluded", "why")


class Finding(NamedTuple):
    """found: in the data or of the machine. concluded: for the bundle; empty where it is said for its own sake."""

    found: str
    concluded: str
    why: str


def as_text(findings: Sequence[Finding]) -> str:
    """A table of columns that wrap."""
    rule = tuple("-" * width for width in WIDTHS)
    return "\n".join(_row(line) for line in (HEAD, rule, *findings))


def as_markdown(findings: Sequence[Finding]) -> str:
    lines = [HEAD, ("---",) * 3, *findings]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)


def _row(cells: Sequence[str]) -> str:
    columns = [textwrap.wrap(cell, width) or [""] for cell, width in zip(cells, WIDTHS)]
    height = max(map(len, columns))
    lines = zip(*(column + [""] * (height - len(column)) for column in columns))
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, WIDTHS)).rstrip() for line in lines)


def listed(numbers: Sequence[float]) -> str:
    """Sizes or spacings along the axes: "40 × 56 × 40"."""
    return " × ".join(f"{number:.4g}" for number in numbers)


def ranged(numbers: Sequence[float]) -> str:
    """The least and the greatest: "35 to 52", or the one there is."""
    low, high = min(numbers), max(numbers)
    return f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"
