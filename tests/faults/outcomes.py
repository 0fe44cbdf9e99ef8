"""How tests of bad inputs run a bundle, and what must hold of every outcome."""

import re
from pathlib import Path
from typing import Any

from shared.errors import input_error_behind, system_error_behind
from shared.files import read_table
from shared.images.cases import survey
from tests.running import ROOT, run_here

BUNDLES = {path.name: path for path in sorted((ROOT / "bundles").iterdir()) if path.is_dir()}
LINE = re.compile(r"[^\n]+: expected [^\n]+, got [^\n]+; [^\n]+")
UNFORESEEN = "expected a case that can be processed"  # an exception that no reader of the zoo turned into words


def outcome(bundle: str, output_dir: Path, config: str = "inference", **options: Any) -> str:
    """The line with which a run of a config ends, "" where it ends well. Raises AssertionError for any other end."""
    try:
        run_here(BUNDLES[bundle], output_dir, config, **options)
    except Exception as error:
        known = input_error_behind(error) or system_error_behind(error)
        if known is None:
            raise AssertionError(f"{bundle}, {config}, {options}: a traceback") from error
        assert LINE.fullmatch(str(known)), str(known)
        return str(known)
    return ""


def check_rows(rows: list[dict[str, str]]) -> None:
    """That every failed row has a line that says what was expected, and no exception that nobody foresaw."""
    for row in rows:
        assert row["status"] in ("ok", "failed"), row
        if row["status"] == "failed":
            assert LINE.fullmatch(row["message"]), row
            assert UNFORESEEN not in row["message"], row["message"]


def lost_entries(dataset_dir: Path, rows: list[dict[str, str]]) -> list[str]:
    """What lies in `dataset_dir` and has neither a row nor was counted as passed over."""
    found = survey(dataset_dir)
    images = {case["case"] for case in found.cases}
    entries = [path for path in dataset_dir.rglob("*") if path.is_symlink() or not path.is_dir()]
    without_row = images - {row["case"].removesuffix("_") for row in rows} - {row["case"] for row in rows}
    uncounted = len(entries) - len(found.cases) - (len(found.passed) - sum(found.passed.pages.values()))
    return sorted(without_row) + ["an entry that is not counted"] * max(0, uncounted)


def table_of(output_dir: Path) -> list[dict[str, str]]:
    return read_table(output_dir / "summary.csv")
