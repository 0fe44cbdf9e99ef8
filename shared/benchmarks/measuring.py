"""Measuring methods: in rounds that alternate between them, and each in a process of its own."""

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from shared.benchmarks.alone import device_mib
from shared.benchmarks.methods import Method, Runs, Subject
from shared.errors import one_line

ROOT = Path(__file__).parents[2]
LIMIT = 300.0  # seconds that a method may take to its first result, compiling included
FEWEST = 3  # rounds
SLOW = 1.0  # seconds
MOST_TOLD = 200  # characters of a reason
Run = Callable[[], object]


class NotMeasuredError(RuntimeError):
    """Why there is no figure, in words for the report."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeoutError in what takes longer, as soon as it is back in Python. Main thread alone."""

    late = TimeoutError(f"took more than {seconds:g} s")

    def stop(*_: object) -> None:
        raise late

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    except Exception as error:  # torch.compile wraps it in its own
        if _is_behind(late, error):
            raise late from None
        raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _is_behind(cause: Exception, error: BaseException | None) -> bool:
    return error is not None and (error is cause or _is_behind(cause, error.__cause__ or error.__context__))


def in_own_process(method: Method, subject: Subject, *, limit: float = LIMIT) -> dict[str, float]:
    """Seconds from the start of a fresh interpreter to the first result, "start_s", and its peaks of memory in MiB.

    "peak_mib" is the process's resident memory; "device_mib", on a GPU, what more of it was in use at the end.
    Raises NotMeasuredError with the reason where the method fails, and TimeoutError where it takes longer than `limit`.
    """
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        request = {"method": asdict(method), "subject": asdict(subject), "answer": str(answer)}
        command = [sys.executable, "-W", "ignore", "-m", "shared.benchmarks.alone", json.dumps(request)]
        used, begun = device_mib(subject.device), time.time()
        try:
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=limit, check=False)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"took more than {limit:g} s") from None
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        content: dict[str, Any] = (
            json.loads(answer.read_text(encoding="utf-8")) if answer.is_file() else {"error": last}
        )
    if "error" in content:
        raise NotMeasuredError(content["error"])
    figures = {"peak_mib": content["peak_mib"], "start_s": content["finished"] - begun}
    return figures | ({"device_mib": content["device_mib"] - used} if subject.device == "cuda" else {})


def each(methods: Iterable[str], do: Callable[[str], Any], reasons: dict[str, str]) -> dict[str, Any]:
    """What `do` gives for each of `methods` not yet in `reasons`; why one fails goes there, and the others go on."""
    results = {}
    for name in methods:
        if name in reasons:
            continue
        try:
            results[name] = do(name)
        except Exception as error:  # a method may raise whatever its libraries do
            reasons[name] = (str(error) if isinstance(error, NotMeasuredError) else one_line(error))[:MOST_TOLD]
    return results


def started(run: Run, *, limit: float = LIMIT) -> Run:
    """`run`, after a first time within the limit."""
    with time_limit(limit):
        run()
    return run


def alternate(
    runs: Mapping[str, Run],
    *,
    rounds: int,
    seconds: float,
    warm: bool = True,
    settle: Run = lambda: None,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Seconds that each of `runs` took in each round, in rounds that alternate between them.

    rounds: at most; seconds: after which no more begin, once there are `FEWEST`; a method that alone takes longer has
    one. warm: each runs once before it is timed, since what the method before it left in the caches is not its own;
    of one that takes `SLOW` or more that matters little, and the first time counts. settle: waits for a GPU.
    clock: `time.process_time` counts the processor's seconds of all threads, and not what else runs.
    """
    times: dict[str, list[float]] = {name: [] for name in runs}
    begun = time.perf_counter()
    for number in range(rounds):
        if number >= FEWEST and time.perf_counter() - begun > seconds:
            break
        for name, run in runs.items():
            if times[name] and times[name][-1] > max(seconds, SLOW):
                continue
            taken = _taken(run, settle, clock)
            times[name].append(_taken(run, settle, clock) if warm and taken < SLOW else taken)
    return times


def _taken(run: Run, settle: Run, clock: Callable[[], float]) -> float:
    settle()
    start = clock()
    run()
    settle()
    return clock() - start


def built(method: Method, subject: Subject, *, limit: float = LIMIT) -> Runs:
    """The method's runs, after the first of `single`, within the limit."""
    with time_limit(limit):
        runs = method.build(subject)
        runs.single()
    return runs
