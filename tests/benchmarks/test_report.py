"""The report: it holds the figures of a run, ratios that are theirs, and what it had of other kinds of machine."""

import re
from pathlib import Path

import pytest
from PIL import Image

from shared.benchmarks.machine import KINDS
from shared.benchmarks.report import NO_GPU, write_report
from shared.benchmarks.tables import Measured, Row, Table, with_ratios

RUN = {"command": "make bench", "date": "1 May 2026", "minutes": "9.5", "machine": "a machine", "versions": "torch 9"}


@pytest.fixture
def table() -> Table:
    rows: list[Row] = [
        {"method": "ours, as shipped", "median_ms": 8.0, "min_ms": 7.0, "images_per_s": 200.0, "start_s": 4.0},
        {"method": "a peer", "median_ms": 20.0, "min_ms": 19.0, "start_s": 2.0},
        {"method": "ours, torch.compile"},
    ]
    return Table("Input 1 × 2 × 160 × 192.", rows, ["ours, torch.compile: took more than 300 s"])


@pytest.fixture
def commands() -> Table:
    rows: list[Row] = [
        {"method": "as shipped", "first_s": 4.0, "cases_per_s": 3.0},
        {"method": "run_onnx", "first_s": 1.0, "cases_per_s": 6.0},
    ]
    return Table("The whole command on 16 cases.", rows)


def test_ratios_are_those_of_the_medians_to_the_first_method(table: Table) -> None:
    first, peer, failed = with_ratios(table.rows)
    assert [row["× time"] for row in (first, peer, failed)] == [1, 20 / 8, None]
    assert [row["× start-up"] for row in (first, peer, failed)] == [1, 0.5, None]
    assert peer["× rate"] is None
    assert "× memory" not in first  # nothing of it was measured


def test_without_the_first_there_are_no_ratios(table: Table) -> None:
    table.rows[0] = {"method": "ours, as shipped"}
    assert [row["× time"] for row in with_ratios(table.rows)] == [None] * 3
    assert [row["median ms"] for row in with_ratios(table.rows)] == [None, 20, None]


def test_the_report_holds_the_figures_and_notes_of_every_table(table: Table, commands: Table, tmp_path: Path) -> None:
    text = write_report(tmp_path, "amx", [Measured("a_bundle", [table, commands])], RUN).read_text(encoding="utf-8")
    assert "by `make bench` on 1 May 2026 in 9.5 min: a machine; torch 9." in text
    assert "| a peer | 20 | 2.5 | 19 | – | – | 2 | 0.5 |" in text
    assert "| ours, torch.compile | – | – | – | – | – | – | – |" in text
    assert "- ours, torch.compile: took more than 300 s" in text
    assert "| run_onnx | 1 | 0.25 | 6 | 2 |" in text
    (picture,) = re.findall(r"!\[.*\]\((.*)\)", text)
    assert Image.open(tmp_path / picture).size[0] > 300


def test_a_run_replaces_the_section_of_its_own_kind_and_keeps_the_others(table: Table, tmp_path: Path) -> None:
    for kind, bundle in (("amx", "first"), ("avx512_bf16", "second"), ("amx", "third")):
        path = write_report(tmp_path, kind, [Measured(bundle, [table])], RUN)
    text = path.read_text(encoding="utf-8")
    assert [title for title in KINDS.values() if f"\n## {title}\n" in text] == [
        KINDS["amx"], KINDS["avx512_bf16"], KINDS["gpu"]
    ]  # fmt: skip
    assert re.findall(r"^### (.*)$", text, re.MULTILINE) == ["third", "second"]
    assert {path.name for path in tmp_path.glob("*.png")} == {"benchmarks_amx.png", "benchmarks_avx512_bf16.png"}


def test_the_table_of_gpus_names_its_command_until_there_is_one(table: Table, tmp_path: Path) -> None:
    path = write_report(tmp_path, "plain", [Measured("a_bundle", [table])], RUN)
    assert NO_GPU in path.read_text(encoding="utf-8")
    write_report(tmp_path, "gpu", [Measured("a_bundle", [table])], RUN)
    assert NO_GPU not in path.read_text(encoding="utf-8")


def test_tables_of_commands_alone_need_no_picture(commands: Table, tmp_path: Path) -> None:
    text = write_report(tmp_path, "amx", [Measured("a_bundle", [commands])], RUN).read_text(encoding="utf-8")
    assert "run_onnx" in text
    assert "![" not in text
    assert not list(tmp_path.glob("*.png"))


def test_a_picture_of_an_odd_number_of_bundles_can_be_drawn(table: Table, tmp_path: Path) -> None:
    write_report(tmp_path, "amx", [Measured(name, [table]) for name in "abc"], RUN)
    assert (tmp_path / "benchmarks_amx.png").is_file()
