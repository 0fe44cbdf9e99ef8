"""Measuring one bundle beside its peers."""

import os
import statistics
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from shared.benchmarks.measuring import LIMIT, NotMeasuredError, alternate, built, each, in_own_process, started
from shared.benchmarks.methods import EXPORTED, Method, Runs, Subject, methods_of
from shared.benchmarks.ours import open_bundle
from shared.benchmarks.tensors import BATCH

PARTS = ("start", "latency", "throughput")
Row = dict[str, Any]


@dataclass
class Measured:
    """What was measured of a bundle: a row a method, "method" and its figures; the first is what is shipped.

    rounds: taken, of "latency" and "throughput". reasons: why a method, or a batch of it, has no figures.
    """

    bundle: str
    image: list[int]
    rounds: dict[str, int]
    rows: list[Row]
    reasons: dict[str, str]


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
) -> Measured:
    """Measure a bundle and its peers on its first sample; methods with a word of `without` in their name are left out.

    Start-up comes first, with nothing compiled before: what fails there, or takes too long, is left out of the rest.
    onnx: see `Subject`.
    """
    # Compilers may still write there when it goes.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = folder  # of the processes to come as well
        sample = open_bundle(bundle).dataset[0]["image"]
        file = Path(folder) / "image.npy"
        np.save(file, sample.numpy()[None].astype(np.float32))
        subject = Subject(str(bundle.resolve()), str(file), device, threads, onnx)
        methods = [m for m in methods_of(bundle, device) if not any(word in m.name for word in without)]
        return measure_methods(methods, subject, effort)


def measure_methods(methods: Sequence[Method], subject: Subject, effort: Effort) -> Measured:
    """Measure `methods`, the first of which is what ratios are to; one that fails has a reason in place of figures."""
    reasons: dict[str, str] = {}
    by_name = {method.name: method for method in methods}
    rows: dict[str, Row] = {name: {"method": name} for name in by_name}
    # The first time that a bundle is run by onnxruntime it is exported, which is no part of its start-up.
    each([m.name for m in methods if m.builder == EXPORTED], lambda name: by_name[name].build(subject), reasons)
    if "start" in effort.parts:
        alone = partial(in_own_process, subject=subject, limit=effort.limit)
        for name, figures in each(by_name, lambda name: alone(by_name[name]), reasons).items():
            rows[name] |= figures
    times = _times(by_name, subject, effort, reasons)
    for part, by_method in times.items():
        for name, values in by_method.items():
            rows[name] |= SUMMARIES[part](values)
    taken = {part: len(next(iter(by_method.values()), [])) for part, by_method in times.items()}
    return Measured(Path(subject.bundle).name, list(subject.image.shape), taken, list(rows.values()), reasons)


def _times(
    methods: Mapping[str, Method], subject: Subject, effort: Effort, reasons: dict[str, str]
) -> dict[str, dict[str, list[float]]]:
    """Seconds by part, method and round."""
    times: dict[str, dict[str, list[float]]] = {}
    if not set(SUMMARIES) & set(effort.parts):
        return times
    settle = torch.cuda.synchronize if subject.device == "cuda" else lambda: None
    timed = partial(alternate, rounds=effort.rounds, seconds=effort.seconds, settle=settle)
    runs = each(methods, lambda name: built(methods[name], subject, limit=effort.limit), reasons)
    if "latency" in effort.parts:
        times["latency"] = timed({name: run.single for name, run in runs.items()})
    if "throughput" in effort.parts:
        batches = each(runs, lambda name: started(_batch(runs[name]), limit=effort.limit), reasons)
        times["throughput"] = timed(batches, warm=False)
    return times


def _latency(seconds: list[float]) -> Row:
    return {"median_ms": 1000 * statistics.median(seconds), "min_ms": 1000 * min(seconds)}


def _throughput(seconds: list[float]) -> Row:
    return {"images_per_s": BATCH / statistics.median(seconds)}


SUMMARIES = {"latency": _latency, "throughput": _throughput}


def _batch(runs: Runs) -> Callable[[], object]:
    if runs.batch is None:
        raise NotMeasuredError("no throughput: it takes one image at a time")
    return runs.batch
