"""One zip a bundle, which runs alone: same input, same bytes, on every machine."""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shared.errors import InputError, system_faults
from shared.files import read_json, visible, write_atomically
from shared.version import package_files
from shared.zoo.archives import Folder, check_files, writable
from shared.zoo.requirements import check_agreement, pinned, pins_text

PARTS = ("LICENSE", "configs", "docs", "models", "sample_data")  # nothing else of a bundle's folder leaves the house
MOMENT = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can hold
# An archive has nothing installed but its requirements, so its folder goes onto the path.
EXPORT_SCRIPT = '''\
"""Export this bundle's trained network to a checked ONNX file."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from shared.errors import interruptible
from shared.export.command import main

if __name__ == "__main__":
    with interruptible():
        main()
'''


def pack(bundle: Path, output_dir: Path, *, onnx: bool = False) -> Path:
    """Write `bundle`, with the package `shared` of its checkout, as output_dir/NAME_vVERSION.zip; give its path.

    onnx: take models/*.onnx along. Files are stored, not compressed, since compressors differ by version and weights
    lose a tenth by it; sorted, of one date and one permission. Raises InputError for an unfit bundle.
    """
    contents = archive_contents(bundle, onnx=onnx)
    version = read_metadata(bundle / "configs" / "metadata.json")["version"]

    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
            for name, content in sorted(contents.items()):
                info = zipfile.ZipInfo(f"{bundle.name}/{name}", MOMENT)
                info.create_system, info.external_attr = 3, 0o100644 << 16  # Unix: a plain file, rw-r--r--
                archive.writestr(info, content if isinstance(content, bytes) else content.read_bytes())

    path = writable(output_dir) / f"{bundle.name}_v{version}.zip"
    with system_faults(path):
        return write_atomically(path, write)


def archive_contents(bundle: Path, *, onnx: bool = False) -> dict[str, Path | bytes]:
    """What goes into the archive of `bundle`, a folder in bundles/ of a checkout, by its path in there."""
    root = bundle.parents[1]
    check_files(bundle)
    contents: dict[str, Path | bytes] = dict(_own_files(bundle, onnx=onnx))
    if onnx and not any(name.endswith(".onnx") for name in contents):
        raise InputError(
            bundle / "models", expected="an ONNX file", got="none",
            fix=f"run python scripts/export_onnx.py {bundle.name}, or pack without --onnx",
        )  # fmt: skip
    for name in package_files(root / "shared"):
        contents[f"shared/{name}"] = root / "shared" / name
    contents["scripts/export_onnx.py"] = EXPORT_SCRIPT.encode()
    required = pinned(root)
    check_agreement(read_metadata(bundle / "configs" / "metadata.json"), required, bundle)
    contents["requirements.txt"] = pins_text(required).encode()
    return contents


def left_out(bundle: Path) -> list[str]:
    """What is in the bundle's folder and is not packed, by name: results, above all. Its recipe is in its configs."""
    known = (*PARTS, "recipe.py", "__pycache__")
    return sorted(path.name for path in visible(bundle) if path.name not in known)


def read_metadata(path: Folder) -> dict[str, Any]:
    """metadata.json, from a folder or out of an archive (zipfile.Path)."""
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get("version"), str):
        raise InputError(path, expected="a version, as text", got="none", fix='add "version": "0.1.0"')
    return content


def _own_files(bundle: Path, *, onnx: bool) -> Iterator[tuple[str, Path]]:
    for part in PARTS:
        top = bundle / part
        for path in visible(top, "**/*") if top.is_dir() else [top]:
            name = path.relative_to(bundle)
            if path.is_symlink():
                raise InputError(path, expected="a file", got="a link", fix="put the file itself there")
            if path.is_file() and "__pycache__" not in name.parts and (onnx or path.suffix != ".onnx"):
                yield name.as_posix(), path
