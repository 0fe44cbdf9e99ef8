"""Tables for the terminal."""

from collections.abc import Mapping, Sequence
from numbers import Real

from shared.errors import printable


def format_table(rows: Sequence[Mapping[str, object]], columns: Sequence[str], *, most: int = 20) -> str:
    """`rows` as aligned text: names left, numbers right, those below 10,000 with 4 digits; at most `most` rows."""
    cells = [[_text(row.get(column, "")) for column in columns] for row in rows[:most]]
    numeric = [all(isinstance(row.get(c), Real) or row.get(c) in (None, "") for row in rows) for c in columns]
    widths = [max(map(len, column)) for column in zip(columns, *cells)]
    lines = [
        "  ".join(cell.rjust(w) if right else cell.ljust(w) for cell, w, right in zip(line, widths, numeric)).rstrip()
        for line in [list(columns), *cells]
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    if len(rows) > most:
        lines.append(f"… and {len(rows) - most} more")
    return "\n".join(lines)


def _text(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) and abs(value) < 1e4 else printable(value)
