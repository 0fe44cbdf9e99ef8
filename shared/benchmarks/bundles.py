"""Measuring one bundle beside its peers."""

import os
import statistics
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from shared.benchmarks.catalogue import EXPORTED, methods_of
from shared.benchmarks.measuring import LIMIT, NotMeasuredError, alternate, built, each, in_own_process, started
from shared.benchmarks.methods import Method, Runs, Subject
from shared.benchmarks.ours import first_image
from shared.benchmarks.tables import Row, Table
from shared.benchmarks.tensors import settle

PARTS = ("start", "latency", "throughput")


@dataclass(frozen=True)
class Effort:
    """What to measure and how long.

    parts: of `PARTS`. rounds: at most; seconds: of rounds, for latency and for throughput, after which no more begin.
    limit: seconds that a method may take to its first result.
    """

    parts: Collection[str] = PARTS
    rounds: int = 15
    seconds: float = 12.0
    limit: float = LIMIT


def measure(
    bundle: Path,
    effort: Effort,
    *,
    device: str = "cpu",
    threads: int = 2,
    without: Collection[str] = (),
    onnx: str = "",
) -> Table:
    """Measure a bundle and its peers on its first sample; methods with a word of `without` in their name are left out.

    Start-up comes first, with nothing compiled before: what fails there, or takes too long, is left out of the rest.
    onnx: see `Subject`.
    """
    # Compilers may still write there when it goes.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = folder  # of the processes to come as well
        file = Path(folder) / "image.npy"
        np.save(file, first_image(bundle))
        subject = Subject(str(bundle.resolve()), str(file), device, threads, onnx)
        methods = [m for m in methods_of(bundle, device) if not any(word in m.name for word in without)]
        return measure_methods(methods, subject, effort)


def measure_methods(methods: Sequence[Method], subject: Subject, effort: Effort) -> Table:
    """Measure `methods`, the first of which is what ratios are to; one that fails has a note in place of figures."""
    reasons: dict[str, str] = {}
    by_name = {method.name: method for method in methods}
    rows: dict[str, Row] = {name: {"method": name} for name in by_name}
    # The first time that a bundle is run by another runtime it is exported, which is no part of its start-up.
    each([m.name for m in methods if m.builder == EXPORTED], lambda name: by_name[name].build(subject), reasons)
    if "start" in effort.parts:
        alone = partial(in_own_process, subject=subject, limit=effort.limit)
        starting = [method.name for method in methods if method.starts]
        for name, figures in each(starting, lambda name: alone(by_name[name]), reasons).items():
            rows[name] |= figures
    remarks: dict[str, str] = {}
    times = _times(by_name, subject, effort, reasons, remarks)
    for part, by_method in times.items():
        for name, values in by_method.items():
            rows[name] |= SUMMARIES[part](values, subject)
    notes = [f"{name}: {text}" for lines in (remarks, reasons) for name, text in lines.items()]
    return Table(_caption(subject, times), list(rows.values()), notes)


def _caption(subject: Subject, times: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    rounds = [f"{len(next(iter(values.values()), []))} rounds of {part}" for part, values in times.items()]
    return f"Input {' × '.join(map(str, subject.image.shape))}{'; ' if rounds else ''}{' and '.join(rounds)}."


def _times(
    methods: Mapping[str, Method],
    subject: Subject,
    effort: Effort,
    reasons: dict[str, str],
    remarks: dict[str, str],
) -> dict[str, dict[str, list[float]]]:
    """Seconds by part, method and round; `remarks` is given the notes of the methods' runs."""
    times: dict[str, dict[str, list[float]]] = {}
    if not set(SUMMARIES) & set(effort.parts):
        return times
    timed = partial(
        alternate, rounds=effort.rounds, seconds=effort.seconds, settle=partial(settle, subject.device)
    )  # fmt: skip
    runs = each(methods, lambda name: built(methods[name], subject, limit=effort.limit), reasons)
    remarks |= {name: run.note for name, run in runs.items() if run.note}
    if "latency" in effort.parts:
        times["latency"] = timed({name: run.single for name, run in runs.items()})
    if "throughput" in effort.parts:
        batches = each(runs, lambda name: started(_batch(runs[name]), limit=effort.limit), reasons)
        times["throughput"] = timed(batches, warm=False)
    return times


def _latency(seconds: list[float], _: Subject) -> Row:
    return {"median_ms": 1000 * statistics.median(seconds), "min_ms": 1000 * min(seconds)}


def _throughput(seconds: list[float], subject: Subject) -> Row:
    return {"images_per_s": subject.batch / statistics.median(seconds)}


SUMMARIES = {"latency": _latency, "throughput": _throughput}


def _batch(runs: Runs) -> Callable[[], object]:
    if runs.batch is None:
        raise NotMeasuredError("no throughput: it takes one image at a time")
    return runs.batch
