"""Everything that a release on GitHub consists of, in one folder."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from shared.errors import InputError
from shared.files import read_text, sha256_of, visible, write_atomically, write_json
from shared.zoo.archives import writable
from shared.zoo.gallery import gallery
from shared.zoo.index import IndexFile, make_index
from shared.zoo.packing import pack
from shared.zoo.schemas import INDEX_SCHEMA

SUMS = "SHA256SUMS"


def make_release(
    bundles: Sequence[Path], folder: Path, *, tag: str, repo: str = "", key: Path | None = None
) -> list[Path]:
    """Fill `folder` with the archives of `bundles`, their index and its schema, the gallery, notes and checksums.

    repo: OWNER/NAME on GitHub, for absolute addresses; without it those in the index are relative, which holds for a
    release as well, whose files are side by side. key: an SSH key to sign the checksums with. Gives what to upload.
    Raises InputError where something else is in `folder`: it would be uploaded with the rest.
    """
    archives = [pack(bundle, writable(folder)) for bundle in bundles]
    base_url = f"https://github.com/{repo}/releases/download/{tag}" if repo else ""
    index = make_index(archives, folder, base_url)
    files = [
        *archives,
        write_json(folder / "model_zoo.json", index),
        write_text(folder / INDEX_SCHEMA.name, read_text(INDEX_SCHEMA)),
        write_text(folder / "gallery.html", gallery(index, folder)),
        write_text(folder / "RELEASE_NOTES.md", notes(index, tag, repo, signed=key is not None)),
    ]
    sums = "".join(f"{sha256_of(path)}  {path.name}\n" for path in files)
    files.append(write_text(folder / SUMS, sums))
    if key:
        files.append(sign(folder / SUMS, key))
    stray = {path.name for path in visible(folder)} - {path.name for path in files}
    if stray:
        raise InputError(
            folder, expected="nothing but this release", got=", ".join(sorted(stray)), fix="remove it, or choose --dir"
        )
    return files


def sign(path: Path, key: Path) -> Path:
    """Sign `path` by ssh-keygen with the private `key` (or the public one of an agent's); give the signature's file."""
    if shutil.which("ssh-keygen") is None:
        raise InputError("ssh-keygen", expected="the program", got="none", fix="install OpenSSH, or leave --sign out")
    signature = path.with_name(f"{path.name}.sig")
    signature.unlink(missing_ok=True)  # ssh-keygen would ask
    done = subprocess.run(
        ["ssh-keygen", "-Y", "sign", "-f", str(key), "-n", "file", str(path)],
        capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    if done.returncode or not signature.is_file():
        raise InputError(key, expected="an SSH key to sign with", got=done.stderr.strip(), fix="give another --sign")
    return signature


def notes(index: IndexFile, tag: str, repo: str, *, signed: bool) -> str:
    """Release notes in Markdown: what there is, what changed in each, how to get and to check it."""
    entries = index["bundles"]
    rows, changes = [], []
    for entry in entries:
        metric, value = next(iter(entry["metrics"].items()))
        size = f"{entry['bytes'] / 2**20:.1f} MiB"
        rows.append(f"| {entry['name']} | {entry['version']} | {metric.replace('_', ' ')} {value:.3f} | {size} |")
        change = entry["changelog"].get(entry["version"], "not described")
        changes.append(f"- **{entry['name']} {entry['version']}**: {change}")
    name, version = (entries[0]["name"], entries[0]["version"]) if entries else ("NAME", "VERSION")
    by_monai = f"python -m monai.bundle download --name {name} --version {version} --source github --repo {repo}/{tag}"
    parts = [
        f"# {tag}",
        "\n".join(["| bundle | version | metric | size |", "| --- | --- | --- | --- |", *rows]),
        "## Changes",
        "\n".join(changes),
        "## Getting a bundle",
        f"```\n{by_monai if repo else f'unzip {name}_v{version}.zip'}\n```",
        "Each runs by itself; its requirements.txt names what it needs.",
        "Checksums are in `SHA256SUMS` (`sha256sum --check --ignore-missing SHA256SUMS`) and `model_zoo.json`.",
    ]
    if signed:
        check = "ssh-keygen -Y verify -f SIGNERS -I NAME -n file -s SHA256SUMS.sig < SHA256SUMS"
        parts.append(f"They are signed. With our public key in the file SIGNERS, as a line `NAME KEY`: `{check}`.")
    return "\n\n".join(parts) + "\n"


def write_text(path: Path, text: str) -> Path:
    return write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
