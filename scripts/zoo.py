"""The zoo as a catalogue: what there is, getting a bundle, packing, checking and publishing."""

import argparse
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from shared.engine.tables import format_table  # noqa: E402
from shared.errors import InputError, report_input_errors_in_one_line  # noqa: E402
from shared.files import sha256_of, write_json  # noqa: E402
from shared.zoo.archives import writable  # noqa: E402
from shared.zoo.downloading import download  # noqa: E402
from shared.zoo.index import Index, describe, make_index, read_index  # noqa: E402
from shared.zoo.packing import left_out, pack  # noqa: E402

BUNDLES = ROOT / "bundles"
DIST = ROOT / "dist"
INDEX = ROOT / "model_zoo.json"


def all_bundles() -> list[Path]:
    return sorted(path for path in BUNDLES.iterdir() if (path / "configs").is_dir())


def own_bundle(name: str) -> Path:
    """The folder of a bundle of this checkout, by its name or path."""
    names = {path.name: path for path in all_bundles()}
    return names[Index([{"name": known, "version": ""} for known in names], "").choose(Path(name).name)["name"]]


def known_bundles(source: str | None) -> Index:
    """The index that is asked for, else the checkout's, else what its bundles say of themselves."""
    if source or INDEX.is_file():
        return read_index(source or INDEX)
    print(f"{INDEX.name} is not made yet; this is what the bundles of this checkout say", file=sys.stderr)
    entries = []
    for path in all_bundles():
        try:
            entries.append(describe(path))
        except InputError as error:
            print(f"not listed: {error}", file=sys.stderr)
    return Index(entries, "")


def list_bundles(arguments: argparse.Namespace) -> None:
    rows = [
        {
            "bundle": entry["name"],
            "version": entry["version"],
            "MiB": f"{entry['bytes'] / 2**20:.1f}" if "bytes" in entry else "–",
            "metric": "{} {:.3f}".format(*next(iter(entry["metrics"].items()))),
            "task": entry["task"],
        }
        for entry in known_bundles(arguments.index).entries
    ]
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 1000
    table = format_table(rows, ["bundle", "version", "MiB", "metric", "task"], most=1000)
    print("\n".join(line if len(line) <= width else f"{line[: width - 1]}…" for line in table.splitlines()))


def show(arguments: argparse.Namespace) -> None:
    entry = known_bundles(arguments.index).choose(arguments.bundle)
    print(f"{entry['title']}\n{entry['description']}\n")
    facts = {
        "bundle": f"{entry['name']} {entry['version']}",
        "task": entry["task"],
        "modality": entry["modality"],
        "speed": entry.get("speed", "–"),
        "archive": f"{entry['url']}, {entry['bytes'] / 2**20:.1f} MiB" if "url" in entry else "not packed yet",
        "SHA-256": entry.get("sha256", "–"),
        "licences": entry["licences"]["summary"] or entry["licences"]["code"],
        "made with": ", ".join(f"{name} {version}" for name, version in entry["requirements"].items()),
    } | {f"changed in {version}": text for version, text in entry["changelog"].items()}
    width = max(map(len, facts))
    print("\n".join(f"{name.ljust(width)}  {text}" for name, text in facts.items()))
    rows = [{"metric": name, "value": value} for name, value in entry["metrics"].items()]
    print(f"\n{format_table(rows, ['metric', 'value'])}")


def download_bundle(arguments: argparse.Namespace) -> None:
    if arguments.index is None and not INDEX.is_file():
        raise InputError(
            "--index", expected="where the bundles are", got=f"no {INDEX}",
            fix="give the address or file of a model_zoo.json, or make one by python scripts/zoo.py index",
        )  # fmt: skip
    place = download(arguments.bundle, arguments.dir, arguments.index or INDEX)
    print(f"to run it:\ncd {place}\npip install -r requirements.txt")
    print("python -m monai.bundle run --config_file configs/inference.json")


def pack_bundles(arguments: argparse.Namespace) -> None:
    if bool(arguments.bundle) == arguments.all:
        raise InputError(
            "pack", expected="a bundle, or --all", got="both" if arguments.all else "neither", fix="give one"
        )
    _pack(all_bundles() if arguments.all else [own_bundle(arguments.bundle)], arguments.dir, onnx=arguments.onnx)


def make_own_index(arguments: argparse.Namespace) -> None:
    _pack(all_bundles(), arguments.dir, onnx=arguments.onnx)
    output = arguments.output.resolve()
    index = make_index(sorted(arguments.dir.resolve().glob("*.zip")), output.parent, arguments.base_url)
    print(f"{write_json(output, index)}: {len(index['bundles'])} archives")


def make_gallery(arguments: argparse.Namespace) -> None:
    from shared.zoo.gallery import gallery
    from shared.zoo.release import write_text

    archives = sorted(arguments.dir.resolve().glob("*.zip"))
    if not archives:
        raise InputError(
            arguments.dir, expected="archives", got="none", fix="run python scripts/zoo.py pack --all first"
        )
    output = (arguments.output or arguments.dir / "gallery.html").resolve()
    index = make_index(archives, output.parent, arguments.base_url)
    print(write_text(output, gallery(index, arguments.dir)))


def verify_archive(arguments: argparse.Namespace) -> None:
    from shared.zoo.verifying import verify

    print(f"looking at {arguments.file}" + " and running it" * (not arguments.static), file=sys.stderr)
    rows = verify(arguments.file, sha256=arguments.sha256, index=arguments.index, run=not arguments.static)
    print(format_table(rows, ["check", "status", "found"]))
    if any(row["status"] == "failed" for row in rows):
        raise SystemExit(1)


def make_release(arguments: argparse.Namespace) -> None:
    from shared.zoo import release
    from shared.zoo.verifying import verify

    folder = arguments.dir or DIST / arguments.tag
    files = release.make_release(all_bundles(), folder, tag=arguments.tag, repo=arguments.repo, key=arguments.sign)
    for path in files:
        if path.suffix == ".zip":
            rows = verify(path, index=folder / "model_zoo.json", run=not arguments.static)
            print(f"{path.name}: {len(rows)} checks, {rows[-1]['status']}")
            if rows[-1]["status"] == "failed":
                raise InputError(path, expected="an archive that is well", got=rows[-1]["found"], fix="mend the bundle")
    repo = f" --repo {arguments.repo}" if arguments.repo else ""
    names = " ".join(str(path) for path in files if path.name != "RELEASE_NOTES.md")
    print(f"\nupload all of {folder} to the GitHub release {arguments.tag}, on its page or by\n")
    print(f"gh release create {arguments.tag}{repo} --notes-file {folder / 'RELEASE_NOTES.md'} {names}")


def _pack(bundles: list[Path], folder: Path, *, onnx: bool) -> None:
    """Pack them, tell of each in a table. Raises InputError, after the others are done, where one cannot be packed."""
    rows: list[dict[str, Any]] = []
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


def parser() -> argparse.ArgumentParser:
    commands = argparse.ArgumentParser(prog="zoo.py", description=__doc__)
    add = commands.add_subparsers(required=True, metavar="COMMAND").add_parser

    def command(name: str, run: Callable, text: str) -> argparse.ArgumentParser:
        made = add(name, help=text, description=text)
        made.set_defaults(run=run)
        return made

    listing = command("list", list_bundles, "List the bundles of an index")
    showing = command("show", show, "Tell what an index says of a bundle")
    getting = command(
        "download", download_bundle, "Get a bundle: resumed, checked by SHA-256, then unpacked in one step"
    )
    packing = command("pack", pack_bundles, "Pack bundles of this checkout as zips that run alone")
    indexing = command("index", make_own_index, "Pack all bundles and write the index, model_zoo.json, of all archives")
    verifying = command("verify", verify_archive, "Check an archive; without --static, also by running its code")
    page = command("gallery", make_gallery, "Write a page about the archives, HTML in one file")
    releasing = command("release", make_release, "Make all that a GitHub release consists of, and say how to upload it")
    for one in (listing, showing, getting):
        one.add_argument("--index", metavar="URL|FILE", help=f"a model_zoo.json; {INDEX} if left out")
    verifying.add_argument("--index", metavar="URL|FILE", help="a model_zoo.json; the one beside FILE if left out")
    for one in (showing, getting):
        one.add_argument("bundle", metavar="BUNDLE[@VERSION]")
    getting.add_argument("--dir", default=".", help="where its folder goes; the current one if left out")
    for one in (packing, indexing, page):
        one.add_argument("--dir", type=Path, default=DIST, help="where the archives are; %(default)s if left out")
    for one in (packing, indexing):
        one.add_argument("--onnx", action="store_true", help="pack models/*.onnx as well")
    for one in (indexing, page):
        one.add_argument("--base_url", default="", help="where the archives will be; relative addresses if left out")
    packing.add_argument("bundle", nargs="?", metavar="BUNDLE")
    packing.add_argument("--all", action="store_true")
    indexing.add_argument("--output", type=Path, default=INDEX, help="%(default)s if left out")
    page.add_argument("--output", type=Path, help="gallery.html beside the archives if left out")
    verifying.add_argument("file", type=Path, metavar="FILE")
    verifying.add_argument("--sha256", help="what the file should have, in place of an index")
    verifying.add_argument("--static", action="store_true", help="run nothing of the archive")
    releasing.add_argument("--tag", required=True, help="such as v0.1.0")
    releasing.add_argument("--repo", default="", metavar="OWNER/NAME", help="on GitHub, for absolute addresses")
    releasing.add_argument("--dir", type=Path, help="dist/TAG if left out")
    releasing.add_argument("--sign", type=Path, metavar="KEY", help="an SSH key to sign the checksums with")
    releasing.add_argument("--static", action="store_true", help="verify the archives without running them")
    return commands


def main() -> None:
    report_input_errors_in_one_line()
    arguments = parser().parse_args()
    try:
        arguments.run(arguments)
    except KeyboardInterrupt:
        raise SystemExit("stopped; the same command goes on from here") from None


if __name__ == "__main__":
    main()
