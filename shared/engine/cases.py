"""Running a bundle over the cases of a folder: bad cases are told of, the others are done."""

import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from ignite.engine import Engine, Events
from monai.engines import SupervisedEvaluator
from tqdm import tqdm

from shared.engine.processes import is_first_process, merged, own_share
from shared.engine.tables import format_table
from shared.engine.weights import load_weights
from shared.errors import InputError
from shared.files import read_table, write_table
from shared.images.cases import Case

Figures = dict[str, Any]  # what is told of a case, by column; "seconds" among them stands for those of the whole case
MOST_FAILURES, MOST_COLUMNS = 20, 14  # printed after a run; the table has all


class CaseTask(Protocol):
    """What is done with the result of a case, and what is reported of it.

    In several processes each does `process` for its own share of the cases, with a task of its own. Then what they
    have in `kept` is brought together, and `conclude` is called in the first process alone.
    """

    kept: dict[str, Any]  # by case, what `conclude` needs besides the table; it can be pickled

    def finished(self, case: Case) -> Figures | None:
        """The figures of a case whose results are there already, or None where some are missing."""

    def outcome(self, result: Mapping[str, Any]) -> Any:
        """The result of a case as the dataclass of the task: `result` is its data after preprocessing, network and
        postprocessing, "files" among it those of the case, by key, and "network_seconds" what the network alone took.
        """

    def process(self, result: Mapping[str, Any]) -> Figures:
        """Write the results of a case, from the `result` of which `outcome` makes its dataclass."""

    def conclude(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write what concerns all cases, after the last one."""


class CaseEvaluator(SupervisedEvaluator):
    """A SupervisedEvaluator that leaves out the network for cases which carry an "error" (see `CaseDataset`).

    state.network_seconds: what the network alone took for a case. state.files: its "files", which are not collated.
    """

    def _iteration(self, engine: Any, batchdata: dict[str, Any]) -> Any:
        if "error" in batchdata:
            return [batchdata]
        engine.state.files = batchdata.pop("files", {})
        started = time.perf_counter()
        output = super()._iteration(engine, batchdata)
        engine.state.network_seconds = round(time.perf_counter() - started, 4)
        return output


class WeightsLoader:
    """Load a state dict into `network` when the engine starts. Raises InputError where it is missing or unfit.

    A network that runs elsewhere than in torch has a method `open` for it. They are loaded once, however often the
    engine runs.
    """

    def __init__(self, network: Any, path: str | Path) -> None:
        self.load = network.open if hasattr(network, "open") else partial(load_weights, network)
        self.path = path
        self.loaded = False

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.STARTED, self)

    def __call__(self, engine: Engine) -> None:
        if not self.loaded:
            self.load(self.path)
            self.loaded = True


def result_of(engine: Any) -> dict[str, Any]:
    """What `CaseTask` is given of the case that `engine` has just done; a bad case has an "error" instead."""
    output: dict[str, Any] = engine.state.output[0]
    if "error" in output:
        return output
    added = {"network_seconds": engine.state.network_seconds, "files": engine.state.files}
    return {**added, **engine.state.batch[0], **output}


class CaseCollector:
    """In place of a `CaseReport`: hands one case at a time to whoever runs the engine, and writes nothing.

    pending: one place, for the case that the engine is to run next.
    """

    def __init__(self, task: CaseTask) -> None:
        self.task = task
        self.pending: list[Case] = [{}]
        self.outcome: Any = None

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._take)

    def _take(self, engine: Engine) -> None:
        result = result_of(engine)
        if "error" in result:
            raise result["error"]
        self.outcome = self.task.outcome(result)


class CaseReport:
    """Hand each finished case to `task` and keep a table of all of them, up to date after every case.

    pending: the cases to run, of several processes those that are this one's; with `resume` those are left out whose
    results lie there already. The first process writes, and in the end for all.
    table: name of the CSV in `output_dir`, a row a case: case, status (ok or failed), seconds, message, figures.
    """

    def __init__(
        self,
        cases: Sequence[Case],
        task: CaseTask,
        *,
        output_dir: str | Path,
        table: str = "summary.csv",
        resume: bool = False,
    ) -> None:
        self.task = task
        self.path = Path(output_dir) / table
        self.rows: dict[str, Figures] = {}
        former = read_table(self.path)
        if former and "case" not in former[0]:
            raise InputError(
                self.path, expected="no file, or the table of such a run", fix="choose another --output_dir",
                got=f"the columns {', '.join(former[0])}",
            )  # fmt: skip
        seconds = {row["case"]: row.get("seconds", "") for row in former}
        for case in cases if resume else []:
            figures = task.finished(case)
            if figures is not None:
                self._note(case["case"], seconds.get(case["case"], ""), figures=figures)
        self.order = [case["case"] for case in cases]
        self.pending = [case for case in own_share(cases) if case["case"] not in self.rows]
        self.started = 0.0

    def attach(self, engine: Engine) -> None:
        # A bar that would be gone within two seconds is not shown at all.
        bar = tqdm(total=len(self.pending), unit="case", delay=2, disable=None)
        engine.add_event_handler(Events.GET_BATCH_STARTED, self._start_case)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._end_case)
        engine.add_event_handler(Events.ITERATION_COMPLETED, lambda: bar.update())
        engine.add_event_handler(Events.COMPLETED, bar.close)

    def finish(self) -> None:
        """Write and print the table. Raises InputError where a case failed, so that the exit code is 1."""
        self.rows, self.task.kept = merged(self.rows), merged(self.task.kept)
        if not is_first_process():
            return
        rows = self._write()
        self.task.conclude(rows)
        failed = [row for row in rows if row["status"] != "ok"]
        columns = list(dict.fromkeys(column for row in rows for column in row if column != "message"))
        print(format_table(rows, columns[:MOST_COLUMNS]))
        if len(columns) > MOST_COLUMNS:
            print(f"… and {len(columns) - MOST_COLUMNS} more columns in {self.path.name}")
        for row in failed[:MOST_FAILURES]:
            print(f"failed: {row['message']}")
        if len(failed) > MOST_FAILURES:
            print(f"… and {len(failed) - MOST_FAILURES} more failed")
        print(f"{len(rows) - len(failed)} of {len(rows)} cases done, results in {self.path.parent.resolve()}")
        if failed:
            raise InputError(
                self.path, expected="every case to be done", got=f"{len(failed)} of {len(rows)} failed",
                fix="see its message column",
            )  # fmt: skip

    def _start_case(self, engine: Engine) -> None:
        self.started = time.perf_counter()

    def _end_case(self, engine: Any) -> None:
        result = result_of(engine)
        try:
            if "error" in result:
                raise result["error"]
            figures, message = self.task.process(result), ""
        except InputError as error:
            figures, message = {}, str(error)
        seconds = round(time.perf_counter() - self.started, 3)
        self._note(result["case"], seconds, message=message, figures=figures)
        if is_first_process():
            self._write()

    def _note(self, case: str, seconds: float | str, *, message: str = "", figures: Figures | None = None) -> None:
        status = "failed" if message else "ok"
        self.rows[case] = {"case": case, "status": status, "seconds": seconds, "message": message, **(figures or {})}

    def _write(self) -> list[Figures]:
        rows = [self.rows[case] for case in self.order if case in self.rows]
        write_table(self.path, rows, ["case", "status", "seconds", "message", *self._figures(rows)])
        return rows

    @staticmethod
    def _figures(rows: Sequence[Figures]) -> list[str]:
        return list(dict.fromkeys(k for row in rows for k in row if k not in ("case", "status", "seconds", "message")))
