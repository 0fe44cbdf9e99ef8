"""A run's output folder: a manifest says what runs of the zoo wrote there, and nothing else is replaced."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from shared.errors import InputError

MANIFEST = ".zoo-manifest.jsonl"


class Outputs:
    """The results in `folder`, by the manifest in it: a JSON object a line, of which later ones count.

    files: what runs of the zoo wrote or were about to write, by path below the folder. made_with: of each case that was
    done, a digest of what its results were made with.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.files: set[str] = set()
        self.made_with: dict[str, str | None] = {}
        for entry in self._entries():
            self.files |= {*entry.get("files", [])}
            self.made_with |= entry.get("made_with", {})

    def _check(self, targets: Iterable[Path], inputs: Iterable[str | Path]) -> None:
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

    def claim(self, targets: Sequence[Path], *, inputs: Iterable[str | Path] = (), cases: Iterable[str] = ()) -> None:
        """Enter into the manifest what a run is about to write.

        targets: the files that it will write. inputs: those that it reads. cases: those whose results are about to be
        replaced, so that none of them counts as done until it is.
        Raises InputError, naming the first target that is not the zoo's or is an input, by whatever name or link.
        """
        self._check(targets, inputs)
        new = sorted({self._name(path) for path in targets} - self.files)
        outdated = {case: None for case in cases if self.made_with.get(case)}
        if new or outdated:
            self._append({"files": new, "made_with": outdated})
        self.files |= {*new}

    def note(self, case: str, digest: str) -> None:
        """Enter that a case is done, and what its results are made with."""
        self._append({"made_with": {case: digest}})

    def _append(self, entry: Mapping[str, object]) -> None:
        path = self.folder / MANIFEST
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")  # in one piece
        except OSError as error:
            raise InputError(
                self.folder, expected="a folder that can be written", got=error.strerror,
                fix="choose another --output_dir",
            ) from error  # fmt: skip

    def _name(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()

    def _entries(self) -> Iterator[dict[str, Any]]:
        path = self.folder / MANIFEST
        if not path.is_file():
            return
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                entry = json.loads(line)
            except (ValueError, RecursionError):  # the last one of a run that was killed
                continue
            if isinstance(entry, dict):
                yield entry


def digest_of(settings: object, files: Iterable[str | Path]) -> str:
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
