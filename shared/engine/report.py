"""The report of a run over cases: a table up to date after every case, and a manifest of what was written."""

import math
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from shared.engine.expectation import Expectation, size_on_disk
from shared.engine.outcomes import CaseTask, Figures, Result, Row, result_of
from shared.engine.processes import in_first_process, is_first_process, merged, own_share
from shared.engine.tables import format_table
from shared.errors import InputError, input_error_behind, unforeseen
from shared.files import GrowingTable, read_grown_table, write_table
from shared.images.cases import Case, Survey
from shared.images.passed import PassedOver
from shared.outputs import MANIFEST, Outputs, digest_of

if TYPE_CHECKING:  # it imports torch, and a run without torch has a report, too
    from ignite.engine import Engine

COLUMNS = ("case", "status", "seconds", "message")
MOST_FAILURES, MOST_COLUMNS = 20, 14  # printed after a run; the table has all


class CaseReport:
    """Hand each finished case to `task` and keep a table of all of them, up to date after every case.

    pending: the cases to run, of several processes those that are this one's. With `resume` those are left out whose
    results are there already, made of the same files with the same weights and options. The first process writes the
    table, and in the end for all.
    cases: to be run, and where it is a `Survey` what was passed over, which is printed after the table.
    table: name of the CSV in `output_dir`, a row a case: case, status (ok or failed), seconds, message, figures.
    keep: rows of other cases that the table has already stay in it, before the new ones.
    settings: what decides the results besides files; None: those of the config that runs.
    A case whose results would have the place of another's, or of a summary, is done under its name and "_".
    `begin` comes before the engine runs, and `finish` after it.
    """

    def __init__(
        self,
        cases: Sequence[Case] | Survey,
        task: CaseTask,
        *,
        output_dir: str | Path,
        table: str = "summary.csv",
        resume: bool = False,
        keep: bool = True,
        settings: Mapping[str, object] | None = None,
    ) -> None:
        found = cases if isinstance(cases, Survey) else Survey(list(cases), PassedOver())
        self.passed = found.passed
        self.task = task
        self.settings = settings
        self.path = Path(output_dir) / table
        self.outputs = Outputs(output_dir)
        self.cases = kept_apart(found.cases, task, [table, MANIFEST])
        self.rows: dict[str, Figures] = {}
        self.started = 0.0
        self.begun = False
        self.growing = GrowingTable(self.path, COLUMNS)
        former = {row["case"]: row for row in read_grown_table(self.path) if row.get("case")} if keep or resume else {}
        names = {case["case"] for case in self.cases}
        self.former: dict[str, Figures] = {n: dict(r) for n, r in former.items() if keep and n not in names}
        if resume:
            self._take_finished(former)
        self.pending = [case for case in own_share(self.cases) if case["case"] not in self.rows]
        self.expectation = Expectation([size_on_disk(files_of(case)) for case in self.pending])

    def begin(self) -> bool:
        """Make sure that nothing of the user's will be replaced; return whether this process has cases to run.

        Every process calls it. Raises InputError as `Outputs.claim` does.
        """
        in_first_process(self._claim)
        self.begun = True
        return bool(self.pending)

    def attach(self, engine: "Engine") -> None:
        from ignite.engine import Events

        # A bar that would be gone within two seconds is not shown at all.
        bar = tqdm(total=len(self.pending), unit="case", delay=2, disable=None)
        engine.add_event_handler(Events.STARTED, lambda: self.begun or self.begin())  # for who runs the engine alone
        engine.add_event_handler(Events.GET_BATCH_STARTED, self.start_case)
        engine.add_event_handler(Events.ITERATION_COMPLETED, lambda: self.end_case(result_of(engine)))
        engine.add_event_handler(Events.ITERATION_COMPLETED, lambda: bar.update())
        engine.add_event_handler(Events.EPOCH_COMPLETED, lambda: engine.state.metrics.update(self.means()))
        engine.add_event_handler(Events.COMPLETED, bar.close)

    def means(self) -> dict[str, float]:
        """The mean of each figure over the cases done so far that have it: what `--tracking mlflow` logs.

        Of several processes each has those of its own share.
        """
        done = [row for row in self.rows.values() if row["status"] == "ok"]
        columns = dict.fromkeys(column for row in done for column in row)
        numbers = {name: [row[name] for row in done if _is_number(row.get(name))] for name in columns}
        return {name: sum(values) / len(values) for name, values in numbers.items() if values}

    def finish(self, network: object = None) -> None:
        """Write and print the table. Raises InputError where a case failed, so that the exit code is 1.

        network: one that chose how it runs has a `choice`, a line that is printed after the table.
        """
        self.rows, self.task.kept = merged(self.rows), merged(self.task.kept)
        if not is_first_process():
            return
        rows = [self.rows[case["case"]] for case in self.cases if case["case"] in self.rows]
        every = [*self.former.values(), *rows]
        write_table(self.path, every, dict.fromkeys([*COLUMNS, *(column for row in every for column in row)]))
        self.task.conclude(every)
        print_outcome(self.path, rows, self.passed, note=getattr(network, "choice", ""))

    def _claim(self) -> None:
        """Make sure that nothing of the user's is replaced, and say in the manifest what is going to be written."""
        targets = [self.path, *(self.outputs.folder / name for name in self.task.summaries)]
        targets += [self.outputs.folder / name for case in self.cases for name in self.task.targets(case["case"])]
        inputs = [path for case in self.cases for path in files_of(case)]
        self.outputs.claim(
            targets, inputs=inputs, cases=[case["case"] for case in self.cases if case["case"] not in self.rows]
        )

    def _take_finished(self, former: Mapping[str, Row]) -> None:
        for case in self.cases:
            name = case["case"]
            same = self.outputs.made_with.get(name) == self._digests[name]
            figures = self.task.finished(case) if same else None
            if figures is not None:
                row = former.get(name, {})
                warned = {"message": row.get("message", "")} if row.get("status") == "ok" else {}
                self._note(name, row.get("seconds", ""), warned | figures)

    @cached_property
    def _digests(self) -> dict[str, str]:
        """By case, of what its results are made with: its files, and the run's settings and weights."""
        if self.settings is None:
            from shared.options import run_settings  # imports torch

            self.settings = run_settings()
        return {case["case"]: digest_of(self.settings, files_of(case)) for case in self.cases}

    def start_case(self) -> None:
        """Take the time from here on."""
        self.started = time.perf_counter()

    def end_case(self, result: Result) -> None:
        """Hand the result of a case to the task, and enter into the table what became of it."""
        try:
            if "error" in result:
                raise result["error"]
            figures = self.task.process(result)
            self.outputs.note(result["case"], self._digests[result["case"]])
            status = "ok"
        except Exception as error:  # whatever is wrong with one case, the others are done
            figures, status = {"message": str(input_error_behind(error) or unforeseen(result["case"], error))}, "failed"
        seconds = round(time.perf_counter() - self.started, 3)
        self._note(result["case"], seconds, figures, status=status)
        if is_first_process():
            expected = self.expectation.after_case(seconds)
            if expected:
                tqdm.write(expected)
            earlier = [] if self.growing.rows else [*self.former.values(), *list(self.rows.values())[:-1]]
            self.growing.add(*earlier, self.rows[result["case"]])

    def _note(self, case: str, seconds: float | str, figures: Figures, *, status: str = "ok") -> None:
        self.rows[case] = {"case": case, "status": status, "seconds": seconds, "message": "", **figures}


def kept_apart(cases: Sequence[Case], task: CaseTask, reserved: Sequence[str]) -> list[Case]:
    """The cases, those of them with "_" behind their names whose results would have the place of something else's."""
    taken = {*reserved, *task.summaries}
    apart = []
    for case in cases:
        while taken & {*task.targets(case["case"])}:
            case = {**case, "case": f"{case['case']}_"}
        taken |= {*task.targets(case["case"])}
        apart.append(case)
    return apart


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def files_of(case: Case) -> list[str]:
    """The files that a case is made of: its images and labels, or what holds these ("FILE#part")."""
    values = [value for key, value in case.items() if key != "case" and isinstance(value, str)]
    return [value if Path(value).exists() else value.rpartition("#")[0] or value for value in values]


def print_outcome(path: Path, rows: Sequence[Figures], passed: PassedOver, *, note: str = "") -> None:
    """Print the table of a run, `note`, what was passed over and what became of its cases.

    Raises InputError where one failed.
    """
    failed = [row for row in rows if row["status"] != "ok"]
    columns = list(dict.fromkeys(column for row in rows for column in row if column != "message"))
    print(format_table(rows, columns[:MOST_COLUMNS]))
    if len(columns) > MOST_COLUMNS:
        print(f"… and {len(columns) - MOST_COLUMNS} more columns in {path.name}")
    for kind, found in (
        ("warning", [row for row in rows if row["status"] == "ok" and row["message"]]),
        ("failed", failed),
    ):
        for row in found[:MOST_FAILURES]:
            print(f"{kind}: {row['message']}")
        if len(found) > MOST_FAILURES:
            print(f"… and {len(found) - MOST_FAILURES} more: {kind}")
    for line in (note, passed):
        if line:
            print(line)
    over = f", {len(passed)} passed over" if passed else ""
    print(f"{len(rows) - len(failed)} of {len(rows)} cases done{over}, results in {path.parent.resolve()}")
    if failed:
        raise InputError(
            path, expected="every case to be done", got=f"{len(failed)} of {len(rows)} failed{over}",
            fix="see its message column",
        )  # fmt: skip
