"""Reading archives that others may have made: nothing leaves its folder, nothing swells."""

import os
import re
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from shared.errors import InputError

REQUIRED = (
    "configs/metadata.json", "configs/inference.json", "configs/train.json", "configs/evaluate.json",
    "configs/logging.conf", "models/model.pt", "docs/README.md", "docs/data_license.txt", "LICENSE",
)  # fmt: skip
Folder = Path | zipfile.Path  # of a bundle: in a checkout, or in an archive
MOST_FILES, MOST_BYTES = 10_000, 2**30
VERSIONED = re.compile(r"(?P<name>[A-Za-z0-9_]+)_v(?P<version>\d+(\.\d+)*)")


def check_files(root: Folder) -> None:
    """Raises InputError where a bundle's folder, or zipfile.Path of it, lacks a file that every bundle has."""
    missing = [name for name in REQUIRED if not root.joinpath(*name.split("/")).is_file()]
    if missing:
        raise InputError(root, expected=f"the file {missing[0]}", got="none", fix="add it, then pack again")


def name_and_version(path: Path) -> tuple[str, str]:
    """Of an archive, by its file's name: NAME_vVERSION.zip."""
    match = VERSIONED.fullmatch(path.stem)
    if match is None or path.suffix != ".zip":
        raise InputError(
            path, expected="an archive NAME_vVERSION.zip", got=path.name, fix="give the file that pack made"
        )
    return match["name"], match["version"]


def checked_members(path: Path) -> list[zipfile.ZipInfo]:
    """The files in the archive, its folders left out, after a look at each entry; nothing is unpacked.

    Raises InputError where it is no zip, an entry's path could leave the folder or is not portable, an entry is a link,
    encrypted, or neither stored nor deflated, two are one file on some system, there is not one top folder, or it
    would unpack to over 1 GiB.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except FileNotFoundError as error:
        raise InputError(path, expected="an archive", got="no such file", fix="check the path") from error
    except (zipfile.BadZipFile, OSError, RuntimeError, UnicodeError) as error:  # RuntimeError: of a later version
        raise InputError(path, expected="a zip archive", got=error, fix="download it again") from error
    for member in members:
        problem = _problem_of(member)
        if problem:
            raise _refused(path, f"{problem}: {member.filename!r}")
    files = [member for member in members if not member.is_dir()]
    tops = {PurePosixPath(member.filename).parts[0] for member in members}
    if len(tops) != 1 or not files or any("/" not in member.filename for member in files):
        raise _refused(path, f"{len(tops)} things at the top, not one folder with files")
    if len({member.filename.casefold() for member in files}) < len(files):
        raise _refused(path, "two files of one name")
    swollen = sum(member.file_size for member in files)
    if len(members) > MOST_FILES or swollen > MOST_BYTES:
        raise _refused(path, f"{len(members):,} entries, {swollen:,} bytes")
    return files


def check_contents(path: Path) -> None:
    """Raises InputError as `checked_members` does, and where the contents are not what the archive says."""
    members = checked_members(path)
    with _opened(path) as archive:
        for member in members:
            with archive.open(member) as source:
                while source.read(2**20):  # which checks the CRC at the end
                    pass


def unpack(path: Path, folder: Path) -> Path:
    """Unpack a checked archive into the existing `folder`; give its one top folder.

    Raises InputError as `check_contents` does.
    """
    members = checked_members(path)
    root = folder.resolve()
    with _opened(path) as archive:
        for member in members:
            target = root / member.filename
            if not target.resolve().is_relative_to(root):  # a second lock: checked_members is the first
                raise _refused(path, f"a path out of its folder: {member.filename!r}")
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as source, target.open("xb") as sink:
                shutil.copyfileobj(source, sink)  # stops at the size that the archive declares, and checks the CRC
    return root / PurePosixPath(members[0].filename).parts[0]


def writable(folder: str | Path) -> Path:
    """`folder`, made where it is not there. Raises InputError where nothing can be written there."""
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(0, "one that cannot be written")
    except OSError as error:
        raise InputError(
            folder, expected="a folder to write to", got=error.strerror, fix="choose another --dir"
        ) from error
    return folder


def empty_folder(folder: Path, option: str) -> Path:
    """`folder`, made where it is not there. Raises InputError where it holds files, or cannot be written.

    option: of the command, by which another is chosen.
    """
    if folder.exists() and any(folder.iterdir()):
        raise InputError(folder, expected="no folder, or an empty one", got="files", fix=f"choose another {option}")
    return writable(folder)


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """For reading what is in a checked archive. Raises InputError where that turns out not to be what it says."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (zipfile.BadZipFile, zlib.error, EOFError, UnicodeError) as error:
        raise InputError(
            path, expected="a whole archive", got=str(error) or "a file that is cut off", fix="download it again"
        ) from error


def _problem_of(member: zipfile.ZipInfo) -> str | None:
    """What makes an entry unfit, if anything."""
    name, kind = member.orig_filename, stat.S_IFMT(member.external_attr >> 16)
    parts = name.removesuffix("/").split("/")
    if name.startswith("/") or "\\" in name or ":" in name or ".." in parts:
        return "a path out of its folder"
    if "" in parts or "." in parts or not name.isprintable():
        return "a path that is not plain"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "a link or device"
    if member.flag_bits & (0x1 | 0x20 | 0x40):  # encrypted, a patch, strongly encrypted
        return "an encrypted or patched file"
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "a file neither stored nor deflated"
    if member.header_offset < 0:
        return "a file that begins before the archive does"
    if member.file_size > 100 * 2**20 and member.file_size > 100 * max(member.compress_size, 1):
        return "a file that swells a hundredfold"
    return None


def _refused(path: Path, got: str) -> InputError:
    return InputError(
        path, expected="an archive of plain files in one folder, at most 1 GiB", got=got, fix="do not use this file"
    )
