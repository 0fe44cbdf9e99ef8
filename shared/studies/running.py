"""Runs of a bundle's configs, in processes of their own or in this one."""

import ast
import contextlib
import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from monai.bundle import create_workflow

from shared.errors import InputError
from shared.files import read_json
from shared.memory import keep_freed_memory

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


def arguments_without(names: Sequence[str], arguments: Sequence[str]) -> list[str]:
    """The arguments of a command without those called `names` and their values, such as folders of this machine."""
    dropped = {place + step for place, argument in enumerate(arguments) if argument in names for step in (0, 1)}
    return [argument for place, argument in enumerate(arguments) if place not in dropped]


def budget_of(bundle: Path, epochs: int, filters: Sequence[int], options: Mapping[str, Any]) -> str:
    """What a registration network is trained on by `options` of train.json, in words."""
    config = read_json(bundle / "configs" / "train.json") | options
    pairs, batch = config["pairs_per_epoch"], config["batch_size"]
    return f"{epochs} epochs of {pairs} pairs in batches of {batch}, features {', '.join(map(str, filters))}"
