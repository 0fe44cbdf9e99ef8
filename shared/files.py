"""Writing files so that a killed run leaves either the old file or the new one, never half of one."""

import csv
import hashlib
import io
import json
import math
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from shared.errors import InputError


def write_atomically(path: str | Path, write: Callable[[Path], object]) -> Path:
    """Let `write` fill a temporary file beside `path`, with the same ending, then move it into place.

    Raises InputError where the folder cannot be made or written.
    """
    path = Path(path)
    ending = "".join(path.suffixes[-2:]) if path.name.endswith(".nii.gz") else path.suffix
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".", suffix=ending, dir=path.parent)
    except OSError as error:
        raise InputError(
            path.parent, expected="a folder that can be written", got=error.strerror, fix="choose another --output_dir"
        ) from error
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        temporary.chmod(0o666 & ~_umask())
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(
            path, expected="a file that can be written", got=error.strerror or error, fix="check space and permissions"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
    return path


def write_table(path: str | Path, rows: Sequence[Mapping[str, Any]], columns: Iterable[str] | None = None) -> Path:
    """Write `rows` as CSV; columns default to the keys in the order in which they first appear."""
    columns = list(columns or dict.fromkeys(key for row in rows for key in row))

    def write(temporary: Path) -> None:
        with temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns, restval="", extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)

    return write_atomically(path, write)


class GrowingTable:
    """A CSV file, of which every row is there as soon as it is added, at the cost of a row and not of the table."""

    def __init__(self, path: str | Path, columns: Iterable[str]) -> None:
        self.path = Path(path)
        self.columns = list(columns)
        self.rows: list[Mapping[str, Any]] = []

    def add(self, row: Mapping[str, Any]) -> None:
        """Add a row at the end; columns that are new are added behind the others."""
        self.rows.append(row)
        new = [column for column in row if column not in self.columns]
        if new or len(self.rows) == 1:
            self.columns += new
            write_table(self.path, self.rows, self.columns)
            return
        text = io.StringIO()
        csv.DictWriter(text, self.columns, restval="").writerow(row)
        with self.path.open("a", newline="", encoding="utf-8") as file:
            file.write(text.getvalue())  # in one piece


def write_json(path: str | Path, content: Any) -> Path:
    """Write `content` as indented JSON: NaN and infinities as null, what else JSON has no form for as text."""
    text = json.dumps(_without_nan(content), indent=2, default=str, allow_nan=False)
    return write_atomically(path, lambda temporary: temporary.write_text(text + "\n", encoding="utf-8"))


def sha256_of(path: str | Path) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_table(path: str | Path) -> list[dict[str, str]]:
    """The rows of a CSV file, all values as text; no rows where there is no file."""
    if not Path(path).is_file():
        return []
    with Path(path).open(newline="", encoding="utf-8-sig") as file:  # Excel begins its files with a mark
        return list(csv.DictReader(file))


def _without_nan(content: Any) -> Any:
    if isinstance(content, Mapping):
        return {key: _without_nan(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_without_nan(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
