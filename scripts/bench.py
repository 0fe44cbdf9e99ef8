"""Time bundles beside what a user would pick instead, each on its first sample: latency, throughput, memory, start-up.

Rounds alternate between the methods, so that whatever else the machine does meets all of them alike; compare ratios.
"""

import argparse
import datetime
import platform
import shlex
import sys
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path

import torch

from monai_bundle_zoo import ROOT
from shared.benchmarks.bundles import PARTS, Effort, Measured, measure
from shared.benchmarks.report import described, notes_on, table_rows, write_report
from shared.engine.tables import format_table
from shared.errors import InputError, report_input_errors_in_one_line

PACKAGES = ("torch", "monai", "onnxruntime", "SimpleITK", "scikit-image")


def all_bundles() -> dict[str, Path]:
    return {path.parents[1].name: path.parents[1] for path in sorted(ROOT.glob("bundles/*/configs/inference.json"))}


def chosen(names: list[str]) -> list[Path]:
    """The bundles called so, or all. Raises InputError for an unknown one."""
    known = all_bundles()
    for name in names:
        if name not in known:
            raise InputError(name, expected="a bundle", got="none", fix=f"choose of {', '.join(known)}")
    return [known[name] for name in names or known]


def processor(device: str, threads: int) -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    gpu = f"{torch.cuda.get_device_name()}, " if device == "cuda" else ""
    return f"{gpu}{model}, {threads} threads, {platform.system()}"


def show(measured: Measured) -> None:
    rows = table_rows(measured)
    whole = [{k: round(v) if isinstance(v, float) and v >= 1000 else v for k, v in row.items()} for row in rows]
    print(f"\n{measured.bundle}: {described(measured)}\n{format_table(whole, list(rows[0]))}")
    print(*(f"– {line}" for line in notes_on(measured)), sep="\n", flush=True)


def main() -> None:
    report_input_errors_in_one_line()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundles", nargs="*", help="names of folders in bundles/; all if left out")
    parser.add_argument("--rounds", type=int, default=15, help="at most")
    parser.add_argument("--seconds", type=float, default=12, help="of rounds a bundle for latency, and for throughput")
    parser.add_argument("--limit", type=float, default=300, help="seconds to a first result, compiling included")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", choices=("cpu", "cuda"))
    parser.add_argument("--only", nargs="+", default=PARTS, choices=PARTS, help="start is start-up and memory")
    parser.add_argument("--without", nargs="+", default=[], metavar="WORDS", help="leave out methods called so")
    parser.add_argument("--onnx", default="", help="an ONNX file of the bundle's weights in place of models/model.onnx")
    parser.add_argument("--report", type=Path, help="a folder to write benchmarks.md and benchmarks.png to")
    arguments = parser.parse_args()
    effort = Effort(arguments.only, arguments.rounds, arguments.seconds, arguments.limit)
    options = {name: getattr(arguments, name) for name in ("device", "threads", "without", "onnx")}
    done = []
    for bundle in chosen(arguments.bundles):
        # Each in a fresh process, so that none starts with what was compiled or allocated for another.
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            done.append(pool.submit(measure, bundle, effort, **options).result())
        show(done[-1])
    if arguments.report:
        arguments_given = shlex.join(sys.argv[1:])
        run = {
            "command": f"python scripts/bench.py {arguments_given}",
            "date": f"{datetime.date.today():%-d %B %Y}",
            "machine": processor(arguments.device, arguments.threads),
            "versions": ", ".join(f"{name} {version(name)}" for name in PACKAGES),
        }
        print(write_report(arguments.report, done, run))


if __name__ == "__main__":
    main()
