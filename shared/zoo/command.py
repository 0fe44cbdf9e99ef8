"""The zoo as a catalogue: what there is, getting a bundle, packing, checking and publishing."""

import argparse
from collections.abc import Callable
from pathlib import Path

from shared.errors import report_input_errors_in_one_line, system_faults
from shared.zoo.catalogue import INDEX, download_bundle, list_bundles, show, verify_archive
from shared.zoo.publishing import DIST, make_gallery, make_own_index, make_release, pack_bundles


def parser() -> argparse.ArgumentParser:
    commands = argparse.ArgumentParser(description=__doc__)
    add = commands.add_subparsers(required=True, metavar="COMMAND").add_parser

    def command(name: str, run: Callable, text: str) -> argparse.ArgumentParser:
        made = add(name, help=text, description=text)
        made.set_defaults(run=run)
        return made

    listing = command("list", list_bundles, "List the bundles of an index")
    showing = command("show", show, "Show what an index holds on a bundle")
    getting = command(
        "download", download_bundle, "Get a bundle: resumed, checked by SHA-256, then unpacked in one step"
    )
    packing = command("pack", pack_bundles, "Pack bundles of this checkout as zips that run alone")
    indexing = command(
        "index",
        make_own_index,
        "Pack all bundles and write the index, model_zoo.json, of all archives",
    )
    verifying = command("verify", verify_archive, "Check an archive; without --static, also by running its code")
    page = command("gallery", make_gallery, "Write a page about the archives, HTML in one file")
    releasing = command("release", make_release, "Make what is published on GitHub, the hub, or bioimage.io")
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
    target = releasing.add_mutually_exclusive_group(required=True)
    target.add_argument("--tag", help="of a GitHub release, such as v0.1.0")
    target.add_argument("--hub", type=Path, metavar="DIR", help="for the hub: write a folder a bundle there")
    target.add_argument("--bioimageio", type=Path, metavar="DIR", help="for bioimage.io: write a folder a model there")
    releasing.add_argument("--repo", default="", metavar="OWNER/NAME", help="on GitHub, for absolute addresses")
    releasing.add_argument("--dir", type=Path, help="dist/TAG if left out")
    releasing.add_argument("--sign", type=Path, metavar="KEY", help="an SSH key to sign the checksums with")
    releasing.add_argument("--static", action="store_true", help="verify the archives without running them")
    return commands


def main() -> None:
    report_input_errors_in_one_line()
    arguments = parser().parse_args()
    with system_faults("this command"):
        arguments.run(arguments)
