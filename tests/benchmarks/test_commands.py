"""Whole commands: what they took is what their files and processes show."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared.benchmarks.commands import LAUNCHER, ONE, TWO, Command, commands_of, finished, measure_commands, run_command
from shared.benchmarks.measuring import NotMeasuredError
from shared.benchmarks.methods import read_config
from tests.running import script


def test_the_first_command_is_the_shipped_one_and_run_onnx_is_there_where_it_serves(root: Path) -> None:
    names = {
        ending: [command.name for command in commands_of(read_config(root / "bundles" / ending), 2)]
        for ending in ("blood_cell_yolo_detection", "hippocampus_mr_segmentation", "brain_mr_nodeo_registration")
    }
    assert {commands[0] for commands in names.values()} == {"as shipped"}
    assert all({"--pictures False", ONE, TWO} <= set(commands) for commands in names.values())
    assert ["run_onnx, without torch" in commands for commands in names.values()] == [True, False, False]
    assert ["--runtime onnx" in commands for commands in names.values()] == [True, True, False]


def test_a_case_is_finished_with_the_last_of_its_files(tmp_path: Path) -> None:
    files = {"a.png": 3, "overlays/a.png": 5, "b/moved.nii.gz": 4, "b/figure.png": 2, "summary.csv": 9}
    for name, seconds in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
        os.utime(path, (seconds, seconds))
    assert finished(tmp_path, ["a", "b"]) == [4, 5]
    with pytest.raises(NotMeasuredError, match="no files of 1 cases"):
        finished(tmp_path, ["a", "b", "c"])


def test_a_launched_command_has_its_own_memory_and_time_and_gives_its_exit_code(tmp_path: Path) -> None:
    held = np.ones(300 * 2**17)  # of this process, which is not to be counted
    program = "x = bytes(100 * 2**20); y = x.count(b'a'); import time, sys; time.sleep(0.2); sys.exit(3)"
    words = [sys.executable, "-S", str(LAUNCHER), str(tmp_path / "answer.json"), sys.executable, "-c", program]
    assert subprocess.run(words, check=False).returncode == 3
    figures = json.loads((tmp_path / "answer.json").read_text(encoding="utf-8"))
    assert figures["ended"] - figures["begun"] >= 0.2
    assert 0 < figures["cpu_s"] < figures["ended"] - figures["begun"]  # one thread, which slept
    assert 5 < figures["peak_mib"] < 100 + 60  # zeros may never be touched; the interpreter is below 60 MiB
    assert held[-1] == 1


def test_rates_are_of_what_came_after_the_first_case_of_each_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = (
        "import os, pathlib, sys; folder = pathlib.Path(sys.argv[1]); folder.mkdir()\n"
        "for name, end in zip('abcd', (10, 11, 12, 14)):\n"
        "    (folder / name).touch(); os.utime(folder / name, (end, end))"
    )
    monkeypatch.setattr(
        Command, "words", lambda self, bundle, dataset, results: [sys.executable, "-c", program, str(results)]
    )
    one, two = (
        run_command(Command("any", processes=processes), tmp_path, tmp_path, "abcd") for processes in (1, 2)
    )  # fmt: skip
    assert one["cases_per_s"] == 3 / (14 - 10)
    assert two["cases_per_s"] == 2 / (14 - 11)


def test_a_command_that_fails_has_its_last_line_as_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        Command, "words", lambda *_: [sys.executable, "-c", "import sys; print('no such file'); sys.exit(1)"]
    )
    monkeypatch.setattr("shared.benchmarks.commands.repeated", lambda *_: ["a"])
    monkeypatch.setattr("shared.benchmarks.commands.commands_of", lambda *_: [Command("as shipped")])
    monkeypatch.setattr("shared.benchmarks.commands.read_config", lambda _: {})
    table = measure_commands(tmp_path, cases=1)
    assert table.rows == [{"method": "as shipped"}]
    assert table.notes == ["as shipped: exit code 1: no such file"]


@pytest.mark.parametrize(("rate", "expected"), [(10.0, 12), (0.2, 6), (0.01, 4)])
def test_a_slow_bundle_runs_over_fewer_cases(
    rate: float, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: list[int] = []
    monkeypatch.setattr("shared.benchmarks.commands.repeated", lambda *arguments: [""] * arguments[3])
    monkeypatch.setattr("shared.benchmarks.commands.commands_of", lambda *_: [Command("as shipped")])
    monkeypatch.setattr("shared.benchmarks.commands.read_config", lambda _: {})

    def run(command: Command, bundle: Path, data: Path, names: list[str], *, limit: float) -> dict[str, float]:
        counts.append(len(names))
        return {"cases_per_s": rate}

    monkeypatch.setattr("shared.benchmarks.commands.run_command", run)
    assert measure_commands(tmp_path, cases=12).caption == f"The whole command on {expected} cases."
    assert counts == [4, expected]


@pytest.mark.slow
def test_commands_on_a_bundle_have_figures(root: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    sample = min((root / "bundles" / "blood_cell_yolo_detection" / "sample_data" / "JPEGImages").glob("*.jpg"))
    for name in "ab":
        Image.open(sample).resize((160, 120)).save(tmp_path / "data" / f"{name}.png")
    command = Command("as shipped", ("--pictures", "False"), threads=1)
    row = run_command(command, root / "bundles" / "blood_cell_yolo_detection", tmp_path / "data", "ab")
    assert 0 < row["first_s"] < row["whole_s"]
    assert row["cases_per_s"] > 0
    assert 200 < row["peak_mib"] < 4000  # torch alone is 200 MiB


def dying(_: Path) -> None:
    os._exit(9)  # as a process that the system kills


def test_a_bundle_whose_process_is_ended_by_the_system_has_a_line(capsys: pytest.CaptureFixture) -> None:
    assert script("bench").in_fresh_process(dying, Path("brains")) is None
    assert "brains: not measured: the system ended its process" in capsys.readouterr().out
