"""Time bundles beside what a user would pick instead, each on its first sample, and whole commands as they are typed.

Rounds alternate between the methods, so that whatever else the machine does meets all of them alike; compare ratios.
"""

import argparse
import datetime
import shlex
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

import torch

import monai_bundle_zoo  # noqa: F401  # makes `shared` importable
from shared.benchmarks.bundles import PARTS, Effort, measure
from shared.benchmarks.commands import measure_commands
from shared.benchmarks.machine import described, kind_of, versions
from shared.benchmarks.report import write_report
from shared.benchmarks.tables import Measured, Table, with_ratios
from shared.benchmarks.volumes import FULL_SIZE, measure_volume
from shared.engine.tables import format_table
from shared.errors import InputError, report_input_errors_in_one_line
from shared.places import all_bundles

SECTIONS = (*PARTS, "commands", "volume")
OF_VOLUMES = "brain_mr_nodeo_registration"


def chosen(names: list[str]) -> list[Path]:
    """The bundles called so, or all. Raises InputError for an unknown one."""
    known = {path.name: path for path in all_bundles()}
    for name in names:
        if name not in known:
            raise InputError(name, expected="a bundle", got="none", fix=f"choose of {', '.join(known)}")
    return [known[name] for name in names or known]


def tables_of(bundle: Path, arguments: argparse.Namespace) -> list[Table]:
    """What is measured of a bundle, each in a fresh process, so that none starts with what another left."""
    parts = [part for part in arguments.only if part not in arguments.skip]
    effort = Effort(parts, arguments.rounds, arguments.seconds, arguments.limit)
    tables: list[Table | None] = []
    if set(parts) & set(PARTS):
        options = {name: getattr(arguments, name) for name in ("device", "threads", "without", "onnx")}
        tables.append(in_fresh_process(measure, bundle, effort, **options))
    if "commands" in parts:
        options = {name: getattr(arguments, name) for name in ("cases", "threads", "limit")}
        tables.append(in_fresh_process(measure_commands, bundle, **options))
    if "volume" in parts and bundle.name == OF_VOLUMES:
        options = {"size": arguments.volume, "device": arguments.device, "threads": arguments.threads}
        tables.append(in_fresh_process(measure_volume, bundle, **options))
    found = [table for table in tables if table is not None]
    for table in found:
        show(bundle.name, table)
    return found


def in_fresh_process(do: Callable[..., Table], bundle: Path, *arguments: object, **options: object) -> Table | None:
    """None, with a line, where the system ends the process, so that what was measured before is not lost."""
    try:
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            return pool.submit(do, bundle, *arguments, **options).result()
    except BrokenProcessPool:
        print(f"{bundle.name}: not measured: the system ended its process, as it does for want of memory", flush=True)
        return None


def show(bundle: str, table: Table) -> None:
    rows = with_ratios(table.rows)
    whole = [{k: round(v) if isinstance(v, float) and v >= 1000 else v for k, v in row.items()} for row in rows]
    print(f"\n{bundle}: {table.caption}\n{format_table(whole, list(rows[0]))}")
    print(*(f"- {note}" for note in table.notes), sep="\n", flush=True)


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundles", nargs="*", help="names of folders in bundles/; all if left out")
    parser.add_argument("--rounds", type=int, default=15, help="at most")
    parser.add_argument("--seconds", type=float, default=12, help="of rounds a bundle for latency, and for throughput")
    parser.add_argument("--limit", type=float, default=300, help="seconds to a first result, compiling included")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", choices=("cpu", "cuda"))
    parser.add_argument("--only", nargs="+", default=SECTIONS, choices=SECTIONS, help="start is start-up and memory")
    parser.add_argument("--skip", nargs="+", default=[], choices=SECTIONS, help="leave these out")
    parser.add_argument("--without", nargs="+", default=[], metavar="WORDS", help="leave out methods called so")
    parser.add_argument("--cases", type=int, default=16, help="that whole commands run over")
    parser.add_argument("--volume", type=int, nargs=3, default=FULL_SIZE, help="size of the pair of volumes, in voxels")
    parser.add_argument("--onnx", default="", help="an ONNX file of the bundle's weights in place of models/model.onnx")
    parser.add_argument("--report", type=Path, help="a folder whose benchmarks.md is to have the figures, and a plot")
    return parser.parse_args()


def main() -> None:
    report_input_errors_in_one_line()
    arguments, begun = read_arguments(), time.monotonic()
    run = {
        "command": f"python scripts/bench.py {shlex.join(sys.argv[1:])}",
        "date": f"{datetime.date.today():%-d %B %Y}",
        "machine": described(arguments.device, arguments.threads),
        "versions": versions(),
    }
    done: list[Measured] = []
    for bundle in chosen(arguments.bundles):
        if tables := tables_of(bundle, arguments):
            done.append(Measured(bundle.name, tables))
            run["minutes"] = f"{(time.monotonic() - begun) / 60:.1f}"
            if arguments.report:  # each time, so that what ends the run takes nothing with it
                print(write_report(arguments.report, kind_of(arguments.device), done, run))
    if done:
        print(f"\n{run['minutes']} min on {run['machine']}")


if __name__ == "__main__":
    main()
