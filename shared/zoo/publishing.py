"""How the zoo's command packs bundles and makes of the archives what is published."""

import argparse
import logging
import sys
from pathlib import Path

from shared.engine.tables import format_table
from shared.errors import InputError
from shared.files import sha256_of, visible, write_json
from shared.places import all_bundles, checkout
from shared.zoo.archives import writable
from shared.zoo.index import Index, make_index
from shared.zoo.model_info import model_info
from shared.zoo.packing import left_out, pack, read_metadata

DIST = checkout() / "dist"


def own_bundle(name: str) -> Path:
    """The folder of a bundle of this checkout, by its name or path."""
    names = {path.name: path for path in all_bundles()}
    return names[Index([{"name": known, "version": ""} for known in names], "").choose(Path(name).name)["name"]]


def pack_bundles(arguments: argparse.Namespace) -> None:
    if bool(arguments.bundle) == arguments.all:
        raise InputError(
            "pack", expected="a bundle, or --all", got="both" if arguments.all else "neither", fix="give one"
        )
    _pack(all_bundles() if arguments.all else [own_bundle(arguments.bundle)], arguments.dir, onnx=arguments.onnx)


def make_own_index(arguments: argparse.Namespace) -> None:
    _pack(all_bundles(), arguments.dir, onnx=arguments.onnx)
    output = arguments.output.resolve()
    archives = visible(arguments.dir.resolve(), "*.zip")
    index = make_index(archives, output.parent, arguments.base_url)
    print(f"{write_json(output, index)}: {len(index['bundles'])} archives")
    write_json(output.parent / "models" / "model_info.json", model_info(index, archives))


def make_gallery(arguments: argparse.Namespace) -> None:
    from shared.zoo.gallery import gallery
    from shared.zoo.release import write_text

    archives = visible(arguments.dir.resolve(), "*.zip")
    if not archives:
        raise InputError(arguments.dir, expected="archives", got="none", fix="run the command pack --all first")
    output = (arguments.output or arguments.dir / "gallery.html").resolve()
    index = make_index(archives, output.parent, arguments.base_url)
    print(write_text(output, gallery(index, arguments.dir)))


def make_release(arguments: argparse.Namespace) -> None:
    """For the Hugging Face hub with --hub, for bioimage.io with --bioimageio, for GitHub with --tag."""
    if arguments.hub:
        _make_hub(arguments.hub)
    elif arguments.bioimageio:
        _make_bioimageio(arguments.bioimageio)
    else:
        _make_github_release(arguments)


def _make_hub(folder: Path) -> None:
    from shared.zoo.hub import make_hub

    print("upload each as a repository of its own, and give the version as its tag, by\n")
    for path in make_hub(all_bundles(), folder):
        version = read_metadata(path / "configs" / "metadata.json")["version"]
        print(f"hf upload OWNER/{path.name} {path} && hf repos tag create OWNER/{path.name} {version}")


def _make_bioimageio(folder: Path) -> None:
    from shared.zoo.bioimageio import make_bioimageio

    logging.disable(logging.INFO)  # MONAI's, of every config that it reads
    print("check each, and upload it on the page of bioimage.io\n")
    for path in make_bioimageio(all_bundles(), folder):
        print(f"bioimageio test {path}")


def _make_github_release(arguments: argparse.Namespace) -> None:
    from shared.zoo import release
    from shared.zoo.verifying import verify

    folder = arguments.dir or DIST / arguments.tag
    files = release.make_release(all_bundles(), folder, tag=arguments.tag, repo=arguments.repo, key=arguments.sign)
    for path in files:
        if path.suffix == ".zip":
            rows = verify(path, index=folder / "model_zoo.json", run=not arguments.static)
            print(f"{path.name}: {len(rows)} checks, {rows[-1]['status']}")
            if rows[-1]["status"] == "failed":
                raise InputError(
                    path, expected="an archive that passes every check", got=rows[-1]["found"], fix="correct the bundle"
                )
    repo = f" --repo {arguments.repo}" if arguments.repo else ""
    names = " ".join(str(path) for path in files if path.name != "RELEASE_NOTES.md")
    print(f"\nupload all of {folder} to the GitHub release {arguments.tag}, on its page or by\n")
    print(f"gh release create {arguments.tag}{repo} --notes-file {folder / 'RELEASE_NOTES.md'} {names}")


def _pack(bundles: list[Path], folder: Path, *, onnx: bool) -> None:
    """Pack them and print a table. Raises InputError, after the others are done, where one cannot be packed."""
    rows: list[dict[str, object]] = []
    failed: list[InputError] = []
    for bundle in bundles:
        try:
            path = pack(bundle, writable(folder), onnx=onnx)
        except InputError as error:
            failed.append(error)
            continue
        rows.append({"archive": path, "MiB": f"{path.stat().st_size / 2**20:.1f}", "SHA-256": sha256_of(path)})
        if left_out(bundle):
            print(f"{bundle.name}: left out {', '.join(left_out(bundle))}", file=sys.stderr)
    if rows:
        print(format_table(rows, ["archive", "MiB", "SHA-256"], most=1000))
    for each in failed[:-1]:
        print(f"error: {each}", file=sys.stderr)
    if failed:
        raise failed[-1]
