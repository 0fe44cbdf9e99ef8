"""A run's output folder: a manifest says what runs of the zoo wrote there, and nothing else is replaced."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from shared.errors import InputError
from shared.files import write_json

MANIFEST = ".zoo-manifest.json"


class Outputs:
    """The results in `folder`, by the manifest in it.

    cases: what each case's results were made with, as whoever wrote them put it (see `claim`).
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        content = self._read()
        self.files: set[str] = set(content.get("files", []))
        self.cases: dict[str, str] = dict(content.get("cases", {}))

    def check(self, targets: Iterable[Path], inputs: Iterable[str | Path] = ()) -> None:
        """Refuse to write files that are not the zoo's, or that are among `inputs`, by whatever name or link.

        targets: the files that a run will write. Raises InputError, naming the first that it must not replace.
        """
        read = {identity for path in inputs if (identity := _identity(Path(path)))}
        for path in targets:
            identity = _identity(path)
            if identity in read:
                raise InputError(
                    path, expected="a result that replaces no input", got="a file that this run reads",
                    fix="choose another --output_dir",
                )  # fmt: skip
            if identity and self._name(path) not in self.files:
                raise InputError(
                    path, expected="no file, or one that an earlier run wrote", got="a file of another origin",
                    fix="choose another --output_dir, or move it away",
                )  # fmt: skip

    def claim(self, targets: Iterable[Path], cases: Mapping[str, str] | None = None) -> None:
        """Enter into the manifest what a run is about to write, which `check` has found free."""
        self.files |= {self._name(path) for path in targets}
        self.cases |= cases or {}
        write_json(self.folder / MANIFEST, {"files": sorted(self.files), "cases": self.cases})

    def _name(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()

    def _read(self) -> dict:
        path = self.folder / MANIFEST
        if not path.is_file():
            return {}
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            return {"files": list(content["files"]), "cases": dict(content["cases"])}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                path, expected="the manifest of earlier runs", got=error, fix="choose another --output_dir"
            ) from error


def digest_of(settings: Any, files: Iterable[str | Path]) -> str:
    """A digest of what results are made with: `settings`, which JSON can hold, and the files as they are now."""
    states = [(str(Path(path).absolute()), *_state(Path(path))) for path in files]
    return hashlib.sha256(json.dumps([settings, states], default=str, sort_keys=True).encode()).hexdigest()[:16]


def _state(path: Path) -> tuple[int, ...]:
    """Size and moment of the last change of a file; of a folder those of the files in it, together."""
    try:
        status = [entry.stat() for entry in (path.iterdir() if path.is_dir() else [path])]
    except OSError:
        return ()
    return sum(s.st_size for s in status), max((s.st_mtime_ns for s in status), default=0)


def _identity(path: Path) -> tuple[int, int] | None:
    """Device and inode of the file that `path` leads to; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
