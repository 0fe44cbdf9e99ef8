"""What the zoo's command says of bundles, and how it gets and checks one."""

import argparse
import shutil
import sys

from shared.engine.tables import format_table
from shared.errors import InputError, printable
from shared.places import all_bundles, checkout
from shared.zoo.downloading import download
from shared.zoo.index import Index, describe, read_index

INDEX = checkout() / "model_zoo.json"


def known_bundles(source: str | None) -> Index:
    """The index that is asked for, else the checkout's, else what its bundles say of themselves.

    Raises InputError where there is none of these.
    """
    if source or INDEX.is_file():
        return read_index(source or INDEX)
    if not all_bundles():
        raise _no_index()
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
    print(f"{printable(entry['title'])}\n{printable(entry['description'])}\n")
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
    facts = {printable(name): printable(text) for name, text in facts.items()}
    width = max(map(len, facts))
    print("\n".join(f"{name.ljust(width)}  {text}" for name, text in facts.items()))
    rows = [{"metric": name, "value": value} for name, value in entry["metrics"].items()]
    print(f"\n{format_table(rows, ['metric', 'value'])}")


def download_bundle(arguments: argparse.Namespace) -> None:
    if arguments.index is None and not INDEX.is_file():
        raise _no_index()
    place = download(arguments.bundle, arguments.dir, arguments.index or INDEX)
    print(f"to run it:\ncd {place}\npip install -r requirements.txt")
    print("python -m monai.bundle run --config_file configs/inference.json")


def verify_archive(arguments: argparse.Namespace) -> None:
    from shared.zoo.verifying import verify

    print(f"looking at {arguments.file}" + " and running it" * (not arguments.static), file=sys.stderr)
    rows = verify(arguments.file, sha256=arguments.sha256, index=arguments.index, run=not arguments.static)
    print(format_table(rows, ["check", "status", "found"]))
    if any(row["status"] == "failed" for row in rows):
        raise SystemExit(1)


def _no_index() -> InputError:
    return InputError(
        "--index", expected="where the bundles are", got=f"no {INDEX}",
        fix="give the address or file of a model_zoo.json, or make one by the command index",
    )  # fmt: skip
