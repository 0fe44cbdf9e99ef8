"""Is an archive what it should be? First what can be read, then, if all of that passes, what can be run."""

import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from shared.errors import InputError
from shared.files import is_visible, read_text, sha256_of
from shared.zoo.archives import check_files, checked_members, name_and_version, unpack
from shared.zoo.index import archive_root, describe, read_index
from shared.zoo.packing import read_metadata
from shared.zoo.requirements import check_agreement, parse_pins

PROBE = Path(__file__).with_name("probe.py")
Row = dict[str, str]  # check, status (ok, failed, skipped), and what was found


def verify(archive: Path, *, sha256: str | None = None, index: str | Path | None = None, run: bool = True) -> list[Row]:
    """A row a check; what comes after a failed one is not tried.

    sha256: what the file should have; else the `index` says, else the one beside the archive, if there is one.
    run: also load the weights, instantiate the configs and try the network, in a process of its own. That executes the
    bundle's code, so it comes after all other checks; leave it for archives from those whom you trust.
    """
    rows: list[Row] = []
    for name, check in _checks_without_running(archive, sha256, index).items():
        try:
            rows.append({"check": name, "status": "ok", "found": check()})
        except InputError as error:
            return [*rows, {"check": name, "status": "failed", "found": str(error)}]
        if rows[-1]["found"] == "":
            rows[-1] |= {"status": "skipped", "found": "no model_zoo.json beside it; give --sha256 or --index"}
    return rows + (_checks_by_running(archive) if run else [])


def _checks_without_running(
    archive: Path, sha256: str | None, index: str | Path | None
) -> dict[str, Callable[[], str]]:
    return {
        "paths": partial(_paths, archive),
        "hash": partial(_hash, archive, sha256, index),
        "files": partial(_files, archive),
        "metadata": partial(_metadata, archive),
        "requirements": partial(_requirements, archive),
    }


def _paths(archive: Path) -> str:
    files = checked_members(archive)
    name, _ = name_and_version(archive)
    top = files[0].filename.split("/")[0]
    if top != name:
        raise InputError(archive, expected=f"a top folder {name}", got=top, fix="pack it again")
    return f"{len(files)} files in {top}/, no links"


def _hash(archive: Path, sha256: str | None, index: str | Path | None) -> str:
    beside = archive.with_name("model_zoo.json")
    source = index or (beside if beside.is_file() else None)
    if sha256 is None and source:
        sha256 = read_index(source).choose("@".join(name_and_version(archive)))["sha256"]
    if sha256 is None:
        return ""
    actual = sha256_of(archive)
    if actual != sha256.lower():
        raise InputError(archive, expected=f"SHA-256 {sha256}", got=actual, fix="download it again")
    return f"SHA-256 {actual}"


def _files(archive: Path) -> str:
    root = archive_root(archive)
    check_files(root)
    samples = [path.name for path in (root / "sample_data").iterdir() if is_visible(path.name)]
    if not (root / "shared" / "__init__.py").is_file() or not samples:
        raise InputError(archive, expected="shared/ and sample_data/", got="none", fix="pack it again")
    return "configs, weights, card, samples, licences, shared/"


def _metadata(archive: Path) -> str:
    entry = describe(archive_root(archive))
    _, version = name_and_version(archive)
    if entry["version"] != version:
        raise InputError(archive, expected=f"version {version}", got=entry["version"], fix="pack it again")
    if version not in entry["changelog"]:
        raise InputError(archive, expected=f"a changelog of {version}", got="none", fix="add it to metadata.json")
    return f"{entry['title']}, version {version}"


def _requirements(archive: Path) -> str:
    """That requirements.txt requires what metadata.json names, in the same versions."""
    root = archive_root(archive)
    listed = root / "requirements.txt"
    if not listed.is_file():
        raise InputError(archive, expected="the file requirements.txt", got="none", fix="pack it again")
    required = parse_pins(read_text(listed))
    check_agreement(read_metadata(root / "configs" / "metadata.json"), required, archive)
    return f"{len(required)} packages, in the versions of metadata.json"


def _checks_by_running(archive: Path) -> list[Row]:
    with TemporaryDirectory() as folder:
        root, answers = unpack(archive, Path(folder)), Path(folder) / "checks.jsonl"
        done = subprocess.run(
            [sys.executable, "-I", "-W", "ignore", str(PROBE), str(root), str(answers)],
            cwd=folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        rows = (
            [json.loads(line) for line in answers.read_text(encoding="utf-8").splitlines()] if answers.is_file() else []
        )
    if done.returncode:
        last = done.stderr.strip().splitlines() or ["no message"]
        rows.append({"check": "running", "status": "failed", "found": f"exit code {done.returncode}: {last[-1]}"})
    return rows
