"""Which DICOM files of a folder are images, and of which series."""

import re
from dataclasses import dataclass
from pathlib import Path

from shared.errors import InputError
from shared.files import is_visible
from shared.images.dicom_header import Header, read_header

ENDINGS = (".dcm", ".ima")
DIRECTORIES = ("dicomdir", "dirfile")  # of a CD: lists of its files
PREFIX = "series="  # of the name by which one of several series in a folder goes


@dataclass(frozen=True)
class DicomFile:
    """A file with pixels, and its header."""

    path: Path
    header: Header


def is_dicom(path: Path, start: bytes | None = None) -> bool:
    """Whether a file is DICOM: by its ending, or, where that is another or none, by the standard's magic.

    start: its first 132 bytes or more, where they are known.
    """
    if path.name.lower() in DIRECTORIES or path.name.lower().endswith(ENDINGS):
        return path.name.lower() not in DIRECTORIES
    if start is None:
        try:
            with path.open("rb") as file:
                start = file.read(132)
        except OSError:
            return False
    return start[128:132] == b"DICM"


def is_one_of_several(path: Path) -> bool:
    """Whether `path` is one that `series_of_folder` gives to one of several series."""
    return path.name.startswith(PREFIX) and not path.exists() and path.parent.is_dir()


def series_of_folder(folder: Path) -> list[tuple[str, Path]]:
    """What to add to the folder's name to name each series in it, and the path by which it is read.

    One series is the folder itself, with nothing to add. Several are told apart by their number and description, or
    else are numbered. A folder of files without pixels, as CDs have them, has none.
    """
    series, damaged = _scan(folder)
    if len(series) < 2:
        return [("", folder)] if series or damaged else []
    named: list[tuple[str, Path]] = []
    for place, (uid, files) in enumerate(sorted(series.items(), key=_number), start=1):
        header = files[0].header
        number, description = (_safe(header.get(key, "")) for key in ("SeriesNumber", "SeriesDescription"))
        name = "".join(f"_{part}" for part in (number, description) if part)
        if not name or name in [other for other, _ in named]:
            name += f"_{place}" if not name else f"_{_safe(uid)}"
        named.append((name, folder / f"{PREFIX}{_safe(uid)}"))
    return named


def files_of_series(path: Path) -> list[DicomFile]:
    """The files of the one series that is a folder, or that `series_of_folder` gave `path` to; or the file `path`.

    Raises InputError where there is another number of series, or files are damaged.
    """
    if path.is_file():
        files = [_open(path)]
        if files[0] is None:
            raise InputError(path, expected="a DICOM image", got="no pixels", fix="give the folder of its images")
        return [files[0]]
    folder = path if path.is_dir() else path.parent
    series, damaged = _scan(folder)
    if damaged:
        raise InputError(
            folder, expected="DICOM files that can be read", got=f"{len(damaged)} that cannot, such as {damaged[0]}",
            fix="restore or remove them",
        )  # fmt: skip
    if folder != path:
        series = {uid: files for uid, files in series.items() if f"{PREFIX}{_safe(uid)}" == path.name}
    if len(series) != 1:
        raise InputError(
            path, expected="one DICOM series in a folder", got=len(series), fix="put each series into its own folder"
        )
    return next(iter(series.values()))


def _scan(folder: Path) -> tuple[dict[str, list[DicomFile]], list[str]]:
    """The files with pixels by their series' UID, and the names of the damaged ones."""
    series: dict[str, list[DicomFile]] = {}
    damaged = []
    for entry in sorted(folder.iterdir()):
        if not entry.is_file() or not is_visible(entry.name) or not is_dicom(entry):
            continue
        try:
            file = _open(entry)
        except InputError:
            damaged.append(entry.name)
            continue
        if file is not None:
            series.setdefault(file.header.get("SeriesInstanceUID", ""), []).append(file)
    return series, damaged


def _open(path: Path) -> DicomFile | None:
    """The file with its header; None where it has no pixels: a directory, a report, a presentation state."""
    try:
        header = read_header(path)
    except (ValueError, EOFError, OSError) as error:
        raise InputError(path, expected="DICOM", got=error, fix="check that the file is complete") from error
    if "Pixels" in header:
        return DicomFile(path, header)
    if "Rows" in header:
        raise InputError(path, expected="an image", got="no pixels", fix="check that the file is complete")
    return None


def _number(series: tuple[str, list[DicomFile]]) -> tuple[int, str]:
    uid, files = series
    number = files[0].header.get("SeriesNumber", "")
    return (int(number) if number.isdecimal() else 0, uid)


def _safe(text: str) -> str:
    """`text` as part of a file's name."""
    return re.sub(r"[^\w.+-]+", "-", text)[:64].strip("-.")
