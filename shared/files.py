"""Reading text that any program on any system wrote; writing so that a killed run leaves no half file."""

import csv
import hashlib
import io
import json
import math
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from shared.errors import InputError, one_line, system_faults

# Beside names that begin with a dot, what systems leave in folders, in small letters: never content.
CLUTTER = {"__macosx", "thumbs.db", "desktop.ini", "icon\r", "$recycle.bin", "system volume information"}


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
        with system_faults(path):
            write(temporary)
            temporary.chmod(0o666 & ~_umask())
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def write_table(path: str | Path, rows: Sequence[Mapping[str, object]], columns: Iterable[str] | None = None) -> Path:
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
        self.rows: list[Mapping[str, object]] = []

    def add(self, *rows: Mapping[str, object]) -> None:
        """Add rows at the end. The first ones replace the file, and columns that are new are added behind the others.

        Raises InputError where the file cannot be written.
        """
        begun = bool(self.rows)
        self.rows += rows
        new = [column for column in dict.fromkeys(c for row in rows for c in row) if column not in self.columns]
        if new or not begun:
            self.columns += new
            write_table(self.path, self.rows, self.columns)
            return
        text = io.StringIO()
        csv.DictWriter(text, self.columns, restval="").writerows(rows)
        with system_faults(self.path), self.path.open("a", newline="", encoding="utf-8") as file:
            file.write(text.getvalue())  # in one piece


def write_json(path: str | Path, content: object) -> Path:
    """Write `content` as indented JSON: NaN and infinities as null, what else JSON has no form for as text."""
    text = json.dumps(_without_nan(content), indent=2, default=str, allow_nan=False)
    return write_atomically(path, lambda temporary: temporary.write_text(text + "\n", encoding="utf-8"))


def sha256_of(path: str | Path) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_text(path: Path | zipfile.Path) -> str:
    """UTF-8 or UTF-16, with a mark at its beginning or without. Raises InputError for what is neither or unreadable."""
    try:
        content = path.read_bytes()
    except (OSError, KeyError, zipfile.BadZipFile) as error:  # KeyError: not in the archive
        raise InputError(
            path, expected="a file that can be read", got=getattr(error, "strerror", None) or one_line(error),
            fix="check its path and permissions",
        ) from error  # fmt: skip
    return decoded(content, path)


def decoded(content: bytes, what: object) -> str:
    """The text of `content`, which messages call `what`, each line ended by \\n. Raises as `read_text` does."""
    try:
        text = content.decode(json.detect_encoding(content))  # it looks for a mark, and for zeros as UTF-16 has them
    except UnicodeError as error:
        raise InputError(what, expected="text in UTF-8", got=one_line(error), fix="save it as such") from error
    if "\0" in text:
        raise InputError(what, expected="text in UTF-8", got="zeros among it", fix="save it as such")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_json(path: Path | zipfile.Path) -> Any:
    """The content of a JSON file. Raises InputError where it is none, or is nested too deep to be read."""
    return parsed_json(read_text(path), path)


def parsed_json(text: str, what: object) -> Any:
    """The content of `text`, which messages call `what`. Raises InputError as `read_json` does."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(what, expected="JSON", got=one_line(error), fix="correct the file") from error


def read_table(path: str | Path) -> list[dict[str, str]]:
    """The rows of a CSV file, all values as text; no rows where there is no file. Raises InputError as `read_text`."""
    if not Path(path).is_file():
        return []
    try:
        return list(csv.DictReader(io.StringIO(read_text(Path(path)), newline="")))
    except csv.Error as error:
        raise InputError(path, expected="a table as CSV", got=one_line(error), fix="save it as such") from error


def read_grown_table(path: str | Path) -> list[dict[str, str]]:
    """The rows of a `GrowingTable`'s file but for a last one that a killed run wrote half; as `read_table`."""
    rows = read_table(path)
    text = read_text(Path(path)) if rows else ""
    ended = text.endswith("\n") and text.count('"') % 2 == 0  # a line may also end within quotes
    return rows if ended else rows[:-1]


def is_visible(name: str) -> bool:
    """Whether a file or folder called `name` is content: neither hidden, nor what a system or a killed run left."""
    return not name.startswith(".") and name.lower() not in CLUTTER


def visible(root: Path, pattern: str = "*") -> list[Path]:
    """The files and folders below `root` that match `pattern`, sorted, without what is not visible or lies in it."""
    return [path for path in sorted(root.glob(pattern)) if all(map(is_visible, path.relative_to(root).parts))]


def visible_files(root: Path, pattern: str) -> Iterator[Path]:
    """The files among what is `visible`."""
    return (path for path in visible(root, pattern) if path.is_file())


def _without_nan(content: object) -> object:
    if isinstance(content, Mapping):
        return {key: _without_nan(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_without_nan(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
