"""Getting a bundle: a transfer that goes on where it broke, a checksum before anything is unpacked, then one rename."""

import sys
import time
from functools import partial
from http.client import HTTPException
from io import RawIOBase
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tqdm import tqdm

from shared.errors import InputError, printable, system_faults
from shared.files import sha256_of
from shared.zoo.archives import unpack, writable
from shared.zoo.index import Entry, read_index, reason, version_key
from shared.zoo.locking import alone
from shared.zoo.packing import read_metadata

CHUNK_BYTES = 2**16
LASTING = {400, 401, 403, 404, 405, 410, 451}  # HTTP answers that another try will not change


def download(
    wanted: str, folder: str | Path, index: str | Path, *, attempts: int = 6, timeout: float = 30.0, pause: float = 1.0
) -> Path:
    """Put the bundle `wanted`, NAME or NAME@VERSION of `index`, into `folder`; give its folder there.

    timeout: seconds without a byte; pause: seconds before the second attempt, doubled before each further one. An
    older version in place is kept as NAME_vOLD. Raises InputError, and leaves what was there as it was, where the
    bundle is not to be had or is not what the index says, or a newer version is in place.
    """
    known = read_index(index)
    entry = known.choose(wanted)
    place = writable(folder) / entry["name"]
    waiting = partial(print, f"{place}: another download is under way; waiting for its end", file=sys.stderr)
    with system_faults(place), alone(place.with_name(f".{place.name}.lock"), waiting):
        _download(known.url_of(entry), entry, place, attempts=attempts, timeout=timeout, pause=pause)
    return place


def _download(url: str, entry: Entry, place: Path, *, attempts: int, timeout: float, pause: float) -> None:
    """`download` from `url` to the folder `place`, while no other process does so."""
    installed = installed_version(place)
    if installed == entry["version"]:
        print(f"{place}: version {installed} is there already")
        return
    if installed and version_key(installed) > version_key(entry["version"]):
        raise InputError(
            place, expected=f"version {entry['version']} or older, to take its place", got=f"the newer {installed}",
            fix="remove the folder, or choose another --dir",
        )  # fmt: skip
    archive = place.with_name(f"{entry['name']}_v{entry['version']}.zip")
    part = archive.with_name(f".{archive.name}.{entry['sha256'][:12]}.part")  # kept across calls until it is whole
    fetch(url, part, entry, attempts=attempts, timeout=timeout, pause=pause)
    try:
        install(part, entry, place, installed)
    finally:
        part.unlink(missing_ok=True)


def installed_version(place: Path) -> str | None:
    """Of the bundle in the folder `place`; None where nothing is. Raises InputError where something else is."""
    if not place.exists() and not place.is_symlink():
        return None
    metadata = place / "configs" / "metadata.json"
    if not metadata.is_file():
        raise InputError(
            place, expected="no such folder, or a bundle", got="something else", fix="choose another --dir"
        )
    return str(read_metadata(metadata)["version"])


def fetch(url: str, part: Path, entry: Entry, *, attempts: int, timeout: float, pause: float) -> None:
    """Complete the file `part` from `url` until it has the entry's size and SHA-256.

    Raises InputError after the last attempt, keeping `part` to go on from; where the bytes are wrong, removing it.
    """
    failure = ""
    with tqdm(total=entry["bytes"], unit="B", unit_scale=True, unit_divisor=1024, desc=entry["name"]) as bar:
        for attempt in range(attempts):
            if attempt:
                bar.write(f"{printable(failure)}; trying again ({attempt + 1} of {attempts})", file=sys.stderr)
                time.sleep(pause * 2 ** (attempt - 1))
            resumed = part.is_file() and part.stat().st_size > 0
            try:
                _transfer(url, part, entry["bytes"], timeout, bar)
            except HTTPError as error:
                failure = f"the server says {error.code} {error.reason}"
                if error.code in LASTING:
                    raise _unreachable(url, failure) from error
                if error.code == 416:  # there is nothing after what we have: it is not the file that we began
                    part.unlink(missing_ok=True)
                continue
            except (OSError, HTTPException) as error:
                failure = reason(error)
                if url.startswith("file:"):
                    raise InputError(
                        url, expected="the archive", got=failure,
                        fix="put it there; of a checkout's own bundles, python scripts/zoo.py pack --all does",
                    ) from error  # fmt: skip
                continue
            size = part.stat().st_size
            if size < entry["bytes"]:
                failure = f"the connection ended after {size:,} of {entry['bytes']:,} bytes"
            elif size == entry["bytes"] and sha256_of(part) == entry["sha256"]:
                return
            else:
                got = f"{size:,} bytes" if size != entry["bytes"] else f"one that begins {sha256_of(part)[:12]}"
                part.unlink()
                if not resumed:
                    raise InputError(
                        url, expected=f"{entry['bytes']:,} bytes of SHA-256 {entry['sha256'][:12]}…", got=got,
                        fix="do not use this file; report it to those who keep the index",
                    )  # fmt: skip
                failure = "what was resumed does not fit together"
    raise _unreachable(url, failure)


def install(archive: Path, entry: Entry, place: Path, installed: str | None) -> None:
    """Unpack `archive` beside `place`, look whether it is what the index says, and move it there in one step."""
    with TemporaryDirectory(prefix=f".{place.name}.", dir=place.parent) as temporary:
        root = unpack(archive, Path(temporary))
        metadata = root / "configs" / "metadata.json"
        unpacked = (root.name, read_metadata(metadata)["version"] if metadata.is_file() else "none")
        if unpacked != (entry["name"], entry["version"]):
            raise InputError(
                entry["url"], expected=f"{entry['name']} {entry['version']}, as the index says", got=" ".join(unpacked),
                fix="do not use this file; report it to those who keep the index",
            )  # fmt: skip
        if installed is None:
            try:
                root.rename(place)
            except OSError:
                if installed_version(place) != entry["version"]:  # else another put it there, where nothing locks
                    raise
            return
        kept = place.with_name(f"{place.name}_v{installed}")
        if kept.exists():
            raise InputError(
                kept,
                expected="no such folder, to keep the older version in",
                got="one",
                fix="remove it or move it away",
            )
        place.rename(kept)
        try:
            root.rename(place)
        except OSError:
            kept.rename(place)
            raise
        print(f"version {installed} is kept in {kept}")


def _transfer(url: str, part: Path, total: int, timeout: float, bar: tqdm) -> None:
    """One connection: append what `part` lacks, or begin anew where the server cannot do that."""
    have = part.stat().st_size if part.is_file() else 0
    if have >= total:
        return
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with urlopen(Request(url, headers=headers), timeout=timeout) as answer:
        if not answer.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            have = 0
        with system_faults(part):
            file = part.open("ab" if have else "wb", buffering=0)
        bar.reset(total)
        bar.update(have)
        with file:
            while have <= total and (chunk := answer.read1(CHUNK_BYTES)):
                with system_faults(part):  # no fault of the network, that another try would mend
                    _write(file, chunk)
                have += len(chunk)
                bar.update(len(chunk))


def _write(file: RawIOBase, chunk: bytes) -> None:
    """All of `chunk`: a disk that is nearly full takes a part of it first."""
    left = memoryview(chunk)
    while left:
        left = left[file.write(left) :]


def _unreachable(url: str, failure: str) -> InputError:
    return InputError(url, expected="the archive", got=failure, fix="check the network, then run this again to go on")
