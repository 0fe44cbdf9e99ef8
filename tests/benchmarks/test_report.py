"""The report: it holds the figures that it is given, and ratios that are theirs."""

import re
from pathlib import Path

import pytest
from PIL import Image

from shared.benchmarks.bundles import Measured, Row
from shared.benchmarks.report import table_rows, write_report

SAID = {"command": "make bench", "date": "1 May 2026", "machine": "a machine", "versions": "torch 9"}


@pytest.fixture
def measured() -> Measured:
    rows: list[Row] = [
        {"method": "ours, as shipped", "median_ms": 8.0, "min_ms": 7.0, "images_per_s": 200.0, "start_s": 4.0},
        {"method": "a peer", "median_ms": 20.0, "min_ms": 19.0, "start_s": 2.0},
        {"method": "ours, torch.compile"},
    ]
    reasons = {"a peer": "it takes one image at a time", "ours, torch.compile": "took more than 300 s"}
    return Measured("a_bundle", [1, 2, 160, 192], {"latency": 15}, rows, reasons)


def test_ratios_are_those_of_the_medians_to_the_first_method(measured: Measured) -> None:
    first, peer, failed = table_rows(measured)
    assert [row["× time"] for row in (first, peer, failed)] == [1, 20 / 8, None]
    assert [row["× start-up"] for row in (first, peer, failed)] == [1, 0.5, None]
    assert peer["× rate"] is None
    assert "× memory" not in first  # nothing of it was measured


def test_without_the_first_there_are_no_ratios(measured: Measured) -> None:
    measured.rows[0] = {"method": "ours, as shipped"}
    assert [row["× time"] for row in table_rows(measured)] == [None] * 3
    assert [row["median ms"] for row in table_rows(measured)] == [None, 20, None]


def test_the_report_holds_what_it_is_given(measured: Measured, tmp_path: Path) -> None:
    text = write_report(tmp_path, [measured], SAID).read_text(encoding="utf-8")
    assert "on 1 May 2026: a machine; torch 9." in text
    assert "Input 1 × 2 × 160 × 192; 15 rounds of latency." in text
    assert "| a peer | 20 | 2.5 | 19 | – | – | 2 | 0.5 |" in text
    assert "| ours, torch.compile | – | – | – | – | – | – | – |" in text
    assert "ours, torch.compile: took more than 300 s" in text.split("| ours, torch.compile")[1]
    (picture,) = re.findall(r"!\[.*\]\((.*)\)", text)
    assert Image.open(tmp_path / picture).size[0] > 300


def test_a_picture_of_an_odd_number_of_bundles_can_be_drawn(measured: Measured, tmp_path: Path) -> None:
    write_report(tmp_path, [measured] * 3, SAID)
    assert (tmp_path / "benchmarks.png").is_file()
