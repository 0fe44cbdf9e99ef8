"""Runs of a bundle's configs, each in a process of its own."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from shared.errors import InputError

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
