"""Reading the text files that lie beside images, whichever program on whichever system wrote them."""

import codecs
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shared.errors import InputError, one_line

MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def read_text(path: Path) -> str:
    """UTF-8, or UTF-16 that begins with its mark. Raises InputError for what is neither or cannot be read."""
    try:
        content = path.read_bytes()
        encoding = next((name for mark, name in MARKS.items() if content.startswith(mark)), "utf-8")
        return content.decode(encoding)
    except (OSError, UnicodeError) as error:
        raise InputError(path, expected="text in UTF-8", got=one_line(error), fix="save it as such") from error


def read_json(path: Path) -> Any:
    """The content of a JSON file. Raises InputError where it is none, or is nested too deep to be read."""
    try:
        return json.loads(read_text(path))
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        raise InputError(path, expected="JSON", got=one_line(error), fix="correct the file") from error


def visible_files(root: Path, pattern: str) -> Iterator[Path]:
    """The files below `root` that match `pattern`, sorted; without hidden ones, also in hidden folders."""
    for path in sorted(root.glob(pattern)):
        names = path.relative_to(root).parts
        if path.is_file() and not any(name.startswith(".") or name == "__MACOSX" for name in names):
            yield path
