"""The index of the zoo, model_zoo.json: what there is, where, and with which checksum."""

import difflib
import os
import re
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any, TypedDict
from urllib.error import URLError
from urllib.parse import quote, urljoin, urlsplit
from urllib.request import urlopen

from shared.errors import InputError
from shared.files import decoded, parsed_json, read_text, sha256_of
from shared.zoo.archives import Folder, check_contents, check_files, checked_members, name_and_version
from shared.zoo.cards import read_card
from shared.zoo.packing import read_metadata
from shared.zoo.requirements import made_with
from shared.zoo.schemas import INDEX_SCHEMA, METADATA_SCHEMA, check_schema

SCHEMES = ("http", "https", "file")
MOST_INDEX_BYTES = 16 * 2**20

Entry = dict[str, Any]


class IndexFile(TypedDict):
    """What model_zoo.json holds."""

    schema: str
    bundles: list[Entry]


@dataclass(frozen=True)
class Index:
    """entries: by name, then the newest version first; source: the URL that theirs are relative to."""

    entries: list[Entry]
    source: str

    def choose(self, wanted: str) -> Entry:
        """The entry of NAME@VERSION, or the newest of NAME. Raises InputError with what there is."""
        name, _, version = wanted.partition("@")
        versions = [entry for entry in self.entries if entry["name"] == name]
        if not versions:
            names = sorted({entry["name"] for entry in self.entries})
            close = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
            raise InputError(
                name, expected="a bundle of the index", got="one it does not know",
                fix=f"did you mean {close[0]}?" if close else f"it knows {', '.join(names) or 'none'}",
            )  # fmt: skip
        for entry in versions:
            if version in ("", entry["version"]):
                return entry
        known = ", ".join(entry["version"] for entry in versions)
        raise InputError(wanted, expected=f"version {known}", got=version, fix="choose one of these")

    def url_of(self, entry: Entry) -> str:
        """Absolute. Raises InputError for what is no http, https or file, and for local files out of a remote index."""
        try:
            url = urljoin(self.source, entry["url"])
        except ValueError as error:  # such as http://[
            raise InputError(entry["url"], expected="an address", got=error, fix="do not use this index") from error
        scheme, own = urlsplit(url).scheme, urlsplit(self.source).scheme
        if scheme not in SCHEMES or (scheme == "file" and own != "file"):
            raise InputError(
                entry["name"], expected="an address by http or https", got=url, fix="do not use this index"
            )
        return url


def describe(root: Folder) -> Entry:
    """What an entry says of the bundle itself. root: its folder, or zipfile.Path of it in an archive."""
    check_files(root)
    metadata = read_metadata(root / "configs" / "metadata.json")
    check_schema(metadata, METADATA_SCHEMA, root / "configs" / "metadata.json")
    card = read_card(read_text(root / "docs" / "README.md"))
    licence = read_text(root / "LICENSE")
    entry = {
        "name": root.name,
        "version": metadata["version"],
        "title": metadata["name"],
        "task": metadata["task"],
        "modality": metadata["network_data_format"]["inputs"]["image"]["modality"],
        "description": metadata["description"],
        "metrics": metadata["eval_metrics"],
        "licences": {
            "code": "Apache-2.0" if "Apache License" in licence else next(iter(licence.strip().splitlines()), "none"),
            "data": read_text(root / "docs" / "data_license.txt").strip(),
            "summary": card.licence,
        },
        "requirements": made_with(metadata),
        "changelog": metadata["changelog"],
    }
    return entry | ({"speed": card.speed} if card.speed else {})


def archive_root(path: Path) -> zipfile.Path:
    """The bundle's folder within the archive, after a look at every entry and into it."""
    check_contents(path)
    top = checked_members(path)[0].filename.split("/")[0]
    return zipfile.Path(path) / top


def make_index(archives: Iterable[Path], place: Path, base_url: str = "") -> IndexFile:
    """The index of `archives`. base_url: where they will be; without it their URLs are relative to the folder `place`.

    Raises InputError for an archive that is unfit or whose file name is not that of what is in it.
    """
    entries = []
    for path in archives:
        entry = describe(archive_root(path))
        if (entry["name"], entry["version"]) != name_and_version(path):
            raise InputError(
                path, expected=f"the name {entry['name']}_v{entry['version']}.zip, as is its content",
                got=path.name, fix="pack it again",
            )  # fmt: skip
        file = quote(path.name if base_url else Path(os.path.relpath(path, place)).as_posix())
        url = f"{base_url.rstrip('/')}/{file}" if base_url else file
        entries.append(entry | {"url": url, "sha256": sha256_of(path), "bytes": path.stat().st_size})
    return {"schema": INDEX_SCHEMA.name, "bundles": _sorted(entries)}


def read_index(source: str | Path) -> Index:
    """Read model_zoo.json from a file or an address. Raises InputError where there is none, or it is none."""
    try:
        url = _url_of_index(source)
        with urlopen(url, timeout=30) as answer:
            content = answer.read(MOST_INDEX_BYTES)
    except (OSError, ValueError, RuntimeError, HTTPException) as error:  # RuntimeError: ~ of somebody unknown
        raise InputError(source, expected="an index, model_zoo.json", got=reason(error), fix="check --index") from error
    index = parsed_json(decoded(content, source), source)
    check_schema(index, INDEX_SCHEMA, source)
    return Index(_sorted(index["bundles"]), url)


def _url_of_index(source: str | Path) -> str:
    if urlsplit(str(source)).scheme in SCHEMES:
        return str(source)
    path = Path(source).expanduser().resolve()
    return (path / "model_zoo.json" if path.is_dir() else path).as_uri()


def reason(error: Exception) -> str:
    """Why a transfer failed, in words."""
    inner = error.reason if isinstance(error, URLError) else error
    return getattr(inner, "strerror", None) or str(inner) or type(inner).__name__


def version_key(version: str) -> tuple[int, ...]:
    """For comparing: 0.10.0 is newer than 0.9.0."""
    if not re.fullmatch(r"\d{1,9}(\.\d{1,9})*", version):
        raise InputError("version", expected="numbers such as 0.1.0", got=version, fix="correct it")
    return tuple(int(part) for part in version.split("."))


def _sorted(entries: Sequence[Entry]) -> list[Entry]:
    newest_first = sorted(entries, key=lambda entry: version_key(entry["version"]), reverse=True)
    return sorted(newest_first, key=lambda entry: entry["name"])
