"""A run over cases: bad ones are told of, the others are done, and the table is right at every moment."""

import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.data import DataLoader
from monai.transforms import Compose, Lambdad
from PIL import Image
from torch import nn

from shared.engine.cases import CaseEvaluator, WeightsLoader
from shared.engine.datasets import CaseDataset, collate_case
from shared.engine.outcomes import Figures
from shared.engine.report import MOST_COLUMNS, CaseReport, print_outcome
from shared.errors import InputError, input_error_behind
from shared.files import GrowingTable, read_table, write_table
from shared.images.cases import Case, find_cases
from shared.images.checking import ReadCased
from shared.images.passed import PassedOver


class Task:
    """Tells the mean of the network's output; notes what it was called with and what the table then held."""

    summaries = ("all.txt",)

    def __init__(self, table: Path, finished: Sequence[str] = (), refuses: str = "") -> None:
        self.table, self.done, self.refuses = table, finished, refuses
        self.processed: list[str] = []
        self.tables: list[list[str]] = []
        self.concluded: list[list[str]] = []
        self.kept: dict[str, Any] = {}

    def finished(self, case: Case) -> dict[str, Any] | None:
        return {"mean": "kept"} if case["case"] in self.done else None

    def targets(self, case: str) -> list[str]:
        return [f"{case}.txt"]

    def outcome(self, result: Mapping[str, Any]) -> float:
        return float(result["pred"].mean())

    def process(self, result: Mapping[str, Any]) -> dict[str, Any]:
        self.processed.append(result["case"])
        self.tables.append([row["case"] for row in read_table(self.table)])
        if result["case"] == self.refuses:
            raise InputError(result["image"].meta["filename_or_obj"], expected="x", got="y", fix="z")
        return {"mean": self.outcome(result)} | ({"only_c": 1} if result["case"] == "c" else {})

    def conclude(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self.concluded.append([row["case"] for row in rows])


class Calling(nn.Module):
    """A network that is a function."""

    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.function(image)


class Double(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(2.0))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image * self.factor


@pytest.fixture
def cases(tmp_path: Path) -> list[Case]:
    """Pictures a to d of one black row and a white one of 2, 4, 6, 8: doubled, their means are 2, 4, 6, 8."""
    for name, value in zip("abcd", (2, 4, 6, 8)):
        Image.fromarray(np.array([[0] * 3, [value] * 3], dtype=np.uint8)).save(tmp_path / f"{name}.png")
    return find_cases(tmp_path)


def spoil(*cases: Case) -> None:
    for case in cases:
        Path(case["image"]).write_bytes(b"")


def run(report: CaseReport, *, workers: int = 0, handlers: Sequence[Any] = (), forward: Any = None) -> CaseReport:
    report.begin()
    dataset = CaseDataset(report.pending, Compose([ReadCased("image", spatial_dims=2)]))
    CaseEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(dataset, batch_size=1, collate_fn=collate_case, num_workers=workers),
        network=Calling(forward) if forward else Double(),
        postprocessing=Compose([Lambdad("pred", lambda pred: pred + 0)]),
        val_handlers=[*handlers, report],
    ).run()
    return report


def setup(tmp_path: Path, cases: list[Case], **kwargs: Any) -> tuple[CaseReport, Task]:
    resume = kwargs.pop("resume", False)
    task = Task(tmp_path / "out" / "summary.csv", **kwargs)
    return CaseReport(cases, task, output_dir=tmp_path / "out", resume=resume), task


@pytest.mark.parametrize("workers", [0, 1])
def test_a_bad_case_does_not_stop_the_others_and_makes_the_run_fail(
    tmp_path: Path, cases: list[Case], capsys: pytest.CaptureFixture[str], workers: int
) -> None:
    report, task = setup(tmp_path, cases)
    spoil(cases[0], cases[2])
    run(report, workers=workers)
    with pytest.raises(
        InputError, match=rf"^{re.escape(str(task.table))}: expected [^\n]+, got 2 of 4 failed; [^\n]+$"
    ):
        report.finish()
    assert task.processed == ["b", "d"]
    assert task.concluded == [["a", "b", "c", "d"]]
    rows = read_table(task.table)
    assert [(row["case"], row["status"], row["mean"]) for row in rows] == [
        ("a", "failed", ""), ("b", "ok", "4.0"), ("c", "failed", ""), ("d", "ok", "8.0"),
    ]  # fmt: skip
    assert [bool(row["message"]) for row in rows] == [True, False, True, False]
    assert rows[0]["message"].startswith(f"{cases[0]['image']}: expected ")
    told = capsys.readouterr().out
    assert f"failed: {rows[0]['message']}\n" in told
    assert "2 of 4 cases done" in told


def test_a_run_without_bad_cases_finishes_and_its_columns_begin_alike(tmp_path: Path, cases: list[Case]) -> None:
    report, task = setup(tmp_path, cases)
    run(report).finish()
    header = task.table.read_text().splitlines()[0]
    assert header == "case,status,seconds,message,mean,only_c"  # figures in order of appearance
    rows = read_table(task.table)
    assert [row["mean"] for row in rows] == ["2.0", "4.0", "6.0", "8.0"]
    assert [row["only_c"] for row in rows] == ["", "", "1", ""]
    assert all(0 <= float(row["seconds"]) < 60 for row in rows)


def test_the_table_holds_every_case_before_the_next_one_is_done(tmp_path: Path, cases: list[Case]) -> None:
    report, task = setup(tmp_path, cases)
    run(report)
    assert task.tables == [[], ["a"], ["a", "b"], ["a", "b", "c"]]


def test_resuming_leaves_out_what_is_finished_and_keeps_its_seconds_and_place(
    tmp_path: Path, cases: list[Case]
) -> None:
    run(setup(tmp_path, [cases[0], cases[2], cases[3]], refuses="a")[0])
    before = {row["case"]: row["seconds"] for row in read_table(tmp_path / "out" / "summary.csv")}
    assert [case["case"] for case in setup(tmp_path, cases, finished="acd")[0].pending] == ["a", "b", "c", "d"]
    report, task = setup(tmp_path, cases, finished="acd", resume=True)  # a is there from an older run, and failed since
    assert [case["case"] for case in report.pending] == ["a", "b"]
    run(report).finish()
    assert task.processed == ["a", "b"]
    rows = read_table(task.table)
    assert [(row["case"], row["status"], row["mean"]) for row in rows] == [
        ("a", "ok", "2.0"), ("b", "ok", "4.0"), ("c", "ok", "kept"), ("d", "ok", "kept"),
    ]  # fmt: skip
    assert [row["seconds"] for row in rows[2:]] == [before["c"], before["d"]]


@pytest.mark.filterwarnings("ignore:.*dataloader.* is empty")
def test_resuming_where_all_is_finished_succeeds(tmp_path: Path, cases: list[Case]) -> None:
    run(setup(tmp_path, cases)[0]).finish()
    report, task = setup(tmp_path, cases, finished="abcd", resume=True)
    assert report.pending == []
    report.finish()
    assert (task.processed, task.concluded) == ([], [["a", "b", "c", "d"]])


def test_resuming_starts_anew_where_the_image_or_the_settings_changed(
    tmp_path: Path, cases: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(setup(tmp_path, cases)[0]).finish()
    Image.fromarray(np.array([[0] * 3, [9] * 3, [9] * 3], dtype=np.uint8)).save(cases[1]["image"])
    assert [c["case"] for c in setup(tmp_path, cases, finished="abcd", resume=True)[0].pending] == ["b"]
    os.utime(cases[2]["image"], ns=(0, 0))  # replaced by one of the same size
    assert [c["case"] for c in setup(tmp_path, cases, finished="abcd", resume=True)[0].pending] == ["b", "c"]
    monkeypatch.setattr("shared.options.run_settings", lambda: {"overlap": 0.25})
    assert [c["case"] for c in setup(tmp_path, cases, finished="abcd", resume=True)[0].pending] == list("abcd")


def test_another_data_set_keeps_the_rows_of_the_first(
    tmp_path: Path, cases: list[Case], capsys: pytest.CaptureFixture[str]
) -> None:
    run(setup(tmp_path, cases[2:])[0]).finish()
    report, task = setup(tmp_path, cases[:2])
    run(report).finish()
    assert [row["case"] for row in read_table(task.table)] == ["c", "d", "a", "b"]
    assert task.concluded == [["c", "d", "a", "b"]]
    assert "2 of 2 cases done" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["summary.csv", "all.txt", "b.txt"])
def test_a_file_of_the_users_stops_the_run_before_the_first_case(tmp_path: Path, cases: list[Case], name: str) -> None:
    theirs = tmp_path / "out" / name
    theirs.parent.mkdir()
    theirs.write_text("case,mine\n")
    report, task = setup(tmp_path, cases)
    with pytest.raises(InputError, match=rf"^{re.escape(str(theirs))}: expected no file, or one that an earlier run"):
        run(report)
    assert task.processed == []
    assert [(path.name, path.read_text()) for path in (tmp_path / "out").iterdir()] == [(name, "case,mine\n")]


@pytest.mark.parametrize("link", ["symbolic", "hard"])
def test_an_input_is_never_a_target_by_whatever_link(tmp_path: Path, cases: list[Case], link: str) -> None:
    run(setup(tmp_path, cases)[0]).finish()  # so that b.txt is the zoo's
    target, image = tmp_path / "out" / "b.txt", Path(cases[1]["image"])
    (target.symlink_to if link == "symbolic" else target.hardlink_to)(image)
    with pytest.raises(InputError, match=rf"^{re.escape(str(target))}: expected a result that replaces no input"):
        run(setup(tmp_path, cases)[0])


def test_cases_named_like_other_results_are_kept_apart(tmp_path: Path, cases: list[Case]) -> None:
    named = [{**case, "case": name} for case, name in zip(cases, ("a", "all", "a_", "all_"))]
    report, task = setup(tmp_path, named)
    run(report).finish()
    assert task.processed == ["a", "all_", "a_", "all__"]  # all.txt is of the summary


def test_any_fault_in_a_case_is_a_failed_row_and_the_others_are_done(tmp_path: Path, cases: list[Case]) -> None:
    def faulty(image: torch.Tensor) -> torch.Tensor:
        if image.max() == 4:
            raise ZeroDivisionError("a defect\nof two lines")
        return 2 * image

    report, task = setup(tmp_path, cases)
    run(report, forward=faulty)
    rows = read_table(task.table)
    assert [row["status"] for row in rows] == ["ok", "failed", "ok", "ok"]
    assert rows[1]["message"].startswith(
        "b: expected a case that can be processed, got ZeroDivisionError: a defect of "
    )


def test_an_option_that_is_wrong_for_every_case_ends_the_run(tmp_path: Path, cases: list[Case]) -> None:
    def refuse(image: torch.Tensor) -> torch.Tensor:
        raise InputError("--steps", expected="0", got=3, fix="correct it")

    report, task = setup(tmp_path, cases)
    with pytest.raises(InputError, match=r"^--steps: "):
        run(report, forward=refuse)
    assert task.processed == []


def test_a_growing_table_is_written_whole_only_for_a_new_column(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rewritten at every one of 8,000 cases it would be 32 million rows, and minutes."""
    whole: list[int] = []

    def counted(path: Path, rows: Sequence[Any], columns: Sequence[str]) -> None:
        whole.append(len(rows))
        write_table(path, rows, columns)

    monkeypatch.setattr("shared.files.write_table", counted)
    growing = GrowingTable(tmp_path / "summary.csv", ["case", "status"])
    for number in range(8000):
        growing.add({"case": str(number), "status": "ok", **({"late": 1} if number == 7 else {})})
    assert whole == [1, 8]
    rows = read_table(tmp_path / "summary.csv")
    assert [row["case"] for row in rows] == [str(number) for number in range(8000)]
    assert [row["late"] for row in rows[6:9]] == ["", "1", ""]


def test_a_case_whose_results_the_task_refuses_fails_like_one_that_cannot_be_read(
    tmp_path: Path, cases: list[Case]
) -> None:
    report, task = setup(tmp_path, cases, refuses="b")
    run(report)
    assert [row["status"] for row in read_table(task.table)] == ["ok", "failed", "ok", "ok"]


def test_missing_weights_stop_the_run_before_the_first_case(tmp_path: Path, cases: list[Case]) -> None:
    report, task = setup(tmp_path, cases)
    path = tmp_path / "models" / "model.pt"
    with pytest.raises(Exception, match="weight file") as caught:
        run(report, handlers=[WeightsLoader(Double(), path)])
    assert str(input_error_behind(caught.value)).startswith(f"{path}: expected a weight file, got no such file; ")
    assert task.processed == []


class Slow(Double):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        time.sleep(0.05)
        return super().forward(image)


class Timed(Task):
    def process(self, result: Mapping[str, Any]) -> dict[str, Any]:
        time.sleep(0.05)  # writing, say
        return {"network_seconds": result["network_seconds"]}


class Timing(Timed):
    """Whose seconds are those of the network."""

    def process(self, result: Mapping[str, Any]) -> dict[str, Any]:
        return {"seconds": super().process(result)["network_seconds"]}


def test_a_task_is_told_what_the_network_took_which_is_part_of_the_seconds(
    tmp_path: Path, cases: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "Double", Slow)
    table = tmp_path / "out" / "summary.csv"
    run(CaseReport(cases, Timed(table), output_dir=tmp_path / "out"))
    for row in read_table(table):
        assert 0.05 <= float(row["network_seconds"]) <= float(row["seconds"]) - 0.05


def test_seconds_that_a_task_tells_stand_in_the_place_of_the_cases_own(
    tmp_path: Path, cases: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "out" / "summary.csv"
    monkeypatch.setattr(Timed, "process", lambda self, result: {"network_seconds": 77.5})
    run(CaseReport(cases, Timing(table), output_dir=tmp_path / "out")).finish()
    assert table.read_text().splitlines()[0] == "case,status,seconds,message"
    assert [row["seconds"] for row in read_table(table)] == ["77.5"] * 4


class Wide(Task):
    """Tells of as many figures as it is asked for."""

    count = 0

    def process(self, result: Mapping[str, Any]) -> dict[str, Any]:
        return {f"figure_{number}": 1.5 for number in range(self.count)}


@pytest.mark.parametrize("more", [0, 5])
def test_of_a_wide_table_the_first_columns_are_printed_and_all_are_written(
    tmp_path: Path, cases: list[Case], capsys: pytest.CaptureFixture[str], more: int
) -> None:
    task = Wide(tmp_path / "out" / "summary.csv")
    task.count = MOST_COLUMNS - 3 + more  # besides case, status and seconds
    run(CaseReport(cases, task, output_dir=tmp_path / "out")).finish()
    told = capsys.readouterr().out.splitlines()
    figures = [f"figure_{number}" for number in range(task.count)]
    assert told[0].split() == ["case", "status", "seconds", *figures][:MOST_COLUMNS]
    assert (f"… and {more} more columns in summary.csv" in told) == (more > 0)
    assert list(read_table(task.table)[0]) == ["case", "status", "seconds", "message", *figures]


@pytest.mark.parametrize("failed", [20, 22])
def test_of_many_failures_the_first_are_printed_and_the_others_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], failed: int
) -> None:
    rows: list[Figures] = [{"case": str(i), "status": "failed", "message": f"line {i}"} for i in range(failed)]
    with pytest.raises(InputError, match=f"got {failed} of {failed} failed"):
        print_outcome(tmp_path / "summary.csv", rows, PassedOver())
    told = capsys.readouterr().out.splitlines()
    assert [line for line in told if line.startswith("failed: ")] == [f"failed: line {i}" for i in range(20)]
    assert ("… and 2 more: failed" in told) == (failed == 22)
