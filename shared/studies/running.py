"""Runs of a bundle's configs, in processes of their own or in this one."""

import argparse
import ast
import contextlib
import logging
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from monai.bundle import create_workflow

from shared.errors import InputError
from shared.files import read_json
from shared.memory import keep_freed_memory

FOLDERS = ("--dataset_dir", "--output_dir", "--docs_dir")  # options that a report does not name
# glibc hands large blocks back to the system at every free; to keep them makes training faster.
KEEP_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(2**33),
    "MALLOC_TRIM_THRESHOLD_": str(2**34),
    "MALLOC_TOP_PAD_": str(2**29),
}


def run_config(name: str, config: Path, options: Mapping[str, Any], *, log: Path, threads: int) -> None:
    """Run `config` with `options` on `threads` threads, and append what it prints to `log`.

    Raises InputError that calls the run `name` and quotes the last line of the log, where it fails.
    """
    command = [sys.executable, "-W", "ignore", "-m", "monai.bundle", "run", "--config_file", str(config)]
    for key, value in options.items():
        command += [f"--{key}", str(value)]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as file:
        environment = {**KEEP_MEMORY, **os.environ, "OMP_NUM_THREADS": str(threads)}
        done = subprocess.run(command, stdout=file, stderr=file, env=environment, check=False)
    if done.returncode:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        last = lines[-1] if lines else f"exit code {done.returncode}"
        raise InputError(name, expected="to end well", got=last, fix=f"see {log}")


def run_config_here(name: str, config: Path, options: Mapping[str, Any], *, log: Path, threads: int) -> None:
    """As `run_config`, in this process: for runs that take no longer than a process takes to import what they need.

    Raises MONAI's RuntimeError, with the cause behind it, where the run fails.
    """
    keep_freed_memory()
    torch.set_num_threads(threads)
    log.parent.mkdir(parents=True, exist_ok=True)
    plain = {key: str(value) if isinstance(value, Path) else value for key, value in options.items()}
    kind = "train" if config.stem == "train" else "infer"
    logging.disable(logging.WARNING)  # of MONAI, which would go to the terminal
    try:
        with log.open("a") as file, contextlib.redirect_stdout(file), contextlib.redirect_stderr(file):
            print(name)
            workflow = create_workflow(config_file=str(config), workflow_type=kind, logging_file=False, **plain)
            workflow.run()
            workflow.finalize()
    finally:
        logging.disable(logging.NOTSET)


def options_of(arguments: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """Options of a config and their values, as Python literals where they are such, from `--name value` pairs.

    Raises InputError where they are none.
    """
    if len(arguments) % 2 or not all(name.startswith("--") for name in arguments[::2]):
        raise InputError("options", expected="--name value pairs", got=" ".join(arguments), fix="see --help")
    for name, value in zip(arguments[::2], arguments[1::2]):
        try:
            yield name[2:], ast.literal_eval(value)
        except (ValueError, SyntaxError):
            yield name[2:], value


def study_parser(description: str | None, *, output_dir: str, max_epochs: int) -> argparse.ArgumentParser:
    """A parser with what every study that trains several networks takes; see `study_arguments`."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--output_dir", type=Path, default=Path(output_dir))
    parser.add_argument("--docs_dir", type=Path, help="gets the report, too")
    parser.add_argument("--max_epochs", type=int, default=max_epochs, help="of each network")
    parser.add_argument("--threads", type=int, default=1, help="of training and scoring")
    return parser


def study_arguments(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """The arguments of this process, with those that `parser` does not know as `options` of train.json."""
    arguments, rest = parser.parse_known_args()
    arguments.options = dict(options_of(rest))
    return arguments


def command_of(script: str, *first: str) -> str:
    """The command of this process as a report has it: without `FOLDERS`, which are of this machine; with `first`."""
    given = sys.argv[1:]
    dropped = {place + step for place, argument in enumerate(given) if argument in FOLDERS for step in (0, 1)}
    kept = [argument for place, argument in enumerate(given) if place not in dropped]
    return shlex.join(["python", f"scripts/{script}.py", *first, *kept])


def report_into(arguments: argparse.Namespace, write: Callable[[Path], str]) -> None:
    """Write a report into `--output_dir`, and `--docs_dir` if there is one, and print it."""
    texts = [write(folder) for folder in {arguments.output_dir, arguments.docs_dir or arguments.output_dir}]
    print(texts[-1])


def budget_of(bundle: Path, epochs: int, filters: Sequence[int], options: Mapping[str, Any]) -> str:
    """What a registration network is trained on by `options` of train.json, in words."""
    config = read_json(bundle / "configs" / "train.json") | options
    pairs, batch = config["pairs_per_epoch"], config["batch_size"]
    return f"{epochs} epochs of {pairs} pairs in batches of {batch}, features {', '.join(map(str, filters))}"
