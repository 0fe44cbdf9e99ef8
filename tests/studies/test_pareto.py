"""What the comparison of networks concludes from scores and times whose truth is known."""

import json
from dataclasses import asdict
from pathlib import Path

from PIL import Image

from shared.studies.pareto import Compared, Point, front, write_report

TIME = "1 thread"


def point(name: str, score: float, ms: float) -> Point:
    scores = {str(case): score + 0.001 * case for case in range(-4, 5)}  # nine cases, of mean `score`
    times = {TIME: ms, "2 threads": ms / 2}
    return Point(name, scores, times, gflop=12.34, parameters=5678, step_ms=90.1, step_mib=45.6)


WIDE, NARROW, SLOW, BAD = (
    point("wide", 0.9, 100),
    point("narrow", 0.8, 40),
    point("slow", 0.85, 200),
    point("bad", 0.7, 40),
)


def names(points: list[Point]) -> list[str]:
    return [point.name for point in points]


def test_the_front_is_of_those_that_no_other_beats_on_both_and_begins_with_the_fastest() -> None:
    assert names(front([SLOW, WIDE, BAD, NARROW], TIME)) == ["narrow", "wide"]


def test_networks_of_the_same_score_and_time_do_not_beat_each_other() -> None:
    assert names(front([WIDE, point("twin", 0.9, 100)], TIME)) == ["wide", "twin"]


def test_the_report_shows_the_front_and_how_the_others_differ_from_the_first(tmp_path: Path) -> None:
    compared = Compared("a_bundle", "dice_mean", 12, [40, 50], [WIDE, NARROW, SLOW], "the command")
    text = write_report(tmp_path, [compared])
    assert (tmp_path / "networks.md").read_text(encoding="utf-8") == text
    assert "the command" in text
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert lines[2] == "| **wide** | 0.9000 |  |  | 100 | 50 | 12.3 | 5,678 | 90 | 46 |"
    # All nine cases of one sign: of 2^9 sign patterns two are as extreme.
    assert lines[3] == "| **narrow** | 0.8000 | -0.1000 | 0.0039 | 40 | 20 | 12.3 | 5,678 | 90 | 46 |"
    assert lines[4].startswith("| slow |")
    assert "On the front: narrow, wide." in text


def test_each_bundle_has_its_section_and_its_panel(tmp_path: Path) -> None:
    both = [Compared(name, "dice_mean", 12, [40, 50], [WIDE, SLOW], "it") for name in ("first", "second")]
    assert "## first" in write_report(tmp_path / "two", both)
    write_report(tmp_path / "one", both[:1])
    widths = [Image.open(tmp_path / folder / "networks.png").width for folder in ("one", "two")]
    assert widths[1] == 2 * widths[0]


def test_a_comparison_is_read_as_it_was_written(tmp_path: Path) -> None:
    compared = Compared("a_bundle", "dice_mean", 12, [40, 50], [WIDE, NARROW], "it")
    (tmp_path / "compared.json").write_text(json.dumps(asdict(compared)), encoding="utf-8")
    assert Compared.read(tmp_path / "compared.json") == compared
