"""Whole commands, as a user types them: the time to the first result, cases a second, processor time and memory."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from shared.benchmarks.measuring import LIMIT, ROOT, NotMeasuredError, each
from shared.benchmarks.methods import read_config
from shared.benchmarks.samples import repeated
from shared.benchmarks.tables import Row, Table
from shared.run_onnx import SERVED

SECONDS = 30.0  # that the first command is to take for its cases
FEWEST = 4  # cases
LAUNCHER = Path(__file__).with_name("launched.py")
EXPORTING, ONE, TWO = "--runtime onnx", "one process of one thread", "two processes of one thread each"
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node")


@dataclass(frozen=True)
class Command:
    """A command on a data set. options: of inference.json. threads: of each process. without_torch: by run_onnx."""

    name: str
    options: tuple[str, ...] = ()
    threads: int = 2
    processes: int = 1
    without_torch: bool = False

    def words(self, bundle: Path, dataset: Path, results: Path) -> list[str]:
        if self.without_torch:
            words = ["-m", "monai_bundle_zoo.run_onnx", str(bundle), str(dataset), "--output_dir", str(results)]
        else:
            words = [
                *([*TORCHRUN, str(self.processes)] if self.processes > 1 else []),
                "-m", "monai.bundle", "run", "--config_file", str(bundle / "configs" / "inference.json"),
                "--dataset_dir", str(dataset), "--output_dir", str(results), *self.options,
            ]  # fmt: skip
        return [sys.executable, "-W", "ignore", *words]


def commands_of(config: Mapping[str, Any], threads: int) -> list[Command]:
    """Those that are timed of a bundle with this inference.json; the first is what ratios are to."""
    commands = [Command("as shipped", threads=threads), Command("--pictures False", ("--pictures", "False"), threads)]
    if "providers" in config:  # not an optimisation, which stays in torch
        commands.append(Command(EXPORTING, ("--runtime", "onnx"), threads))
    if config["inferer"]["_target_"] in SERVED:
        commands.append(Command("run_onnx, without torch", threads=threads, without_torch=True))
    return [*commands, Command(ONE, threads=1), Command(TWO, threads=1, processes=2)]


def measure_commands(bundle: Path, *, cases: int, threads: int = 2, limit: float = LIMIT) -> Table:
    """Each command once. Rates begin with the first result, so that start-up is not in them.

    cases: that it runs over, at most; fewer where the first command would take more than `SECONDS` for them.
    What is exported once, for runtimes other than torch, is exported before.
    """
    config, reasons = read_config(bundle), dict[str, str]()
    with tempfile.TemporaryDirectory() as folder:
        commands = {command.name: command for command in commands_of(config, threads)}

        def timed(name: str, number: int = min(cases, FEWEST)) -> Row:
            data = Path(folder) / str(number)
            names = repeated(bundle, config, data, number)
            return run_command(commands[name], bundle.resolve(), data, names, limit=limit)

        if EXPORTING in commands and not (bundle / "models" / "model.onnx").is_file():
            each([EXPORTING], timed, reasons)
        number = min(cases, FEWEST)
        for row in each(list(commands)[:1], timed, reasons).values():
            number = max(number, min(cases, int(SECONDS * row["cases_per_s"])))
        measured = each(commands, partial(timed, number=number), reasons)
    rows = [{"method": name, **measured.get(name, {})} for name in commands]
    notes = [f"{name}: {reason}" for name, reason in reasons.items()]
    if ONE in measured and TWO in measured:
        times = measured[TWO]["cases_per_s"] / measured[ONE]["cases_per_s"]
        notes.append(f"two processes do {times:.2f} × the cases a second of one")
    return Table(f"The whole command on {number} cases.", rows, notes)


def run_command(command: Command, bundle: Path, dataset: Path, names: Sequence[str], *, limit: float = LIMIT) -> Row:
    """Figures of one run over the cases called `names`. Raises NotMeasuredError with the last line of what it printed.

    "first_s" and "whole_s": from its start to the first case's files, and to its end. "cases_per_s": from the first
    case of each process to the last of all. "cpu_s": of all processes. "peak_mib": of the largest of them.
    """
    with tempfile.TemporaryDirectory() as folder:
        results, answer = Path(folder) / "results", Path(folder) / "answer.json"
        words = [sys.executable, "-S", str(LAUNCHER), str(answer), *command.words(bundle, dataset, results)]
        environment = {**os.environ, "OMP_NUM_THREADS": str(command.threads)}
        done = _run(words, environment, limit)
        if done.returncode:
            lines = f"{done.stdout}\n{done.stderr}".strip().splitlines() or [""]
            raise NotMeasuredError(f"exit code {done.returncode}: {lines[-1]}")
        content = json.loads(answer.read_text(encoding="utf-8"))
        ends = finished(results, names)
    lead = command.processes - 1
    return {
        "first_s": ends[0] - content["begun"],
        "cases_per_s": (len(ends) - 1 - lead) / max(ends[-1] - ends[lead], 1e-3),
        "whole_s": content["ended"] - content["begun"],
        "cpu_s": content["cpu_s"],
        "peak_mib": content["peak_mib"],
    }


def finished(results: Path, names: Sequence[str]) -> list[float]:
    """When the last file of each case was written, in seconds since 1970, in order of time.

    Raises NotMeasuredError where a case has no file.
    """
    ends: dict[str, float] = {}
    for path in results.rglob("*"):
        for name in {part.split(".")[0] for part in path.relative_to(results).parts} & set(names):
            if path.is_file():
                ends[name] = max(ends.get(name, 0.0), path.stat().st_mtime)
    if missing := len(names) - len(ends):
        raise NotMeasuredError(f"no files of {missing} cases")
    return sorted(ends.values())


def _run(words: Sequence[str], environment: Mapping[str, str], limit: float) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=limit, check=False
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"took more than {limit:g} s") from None
