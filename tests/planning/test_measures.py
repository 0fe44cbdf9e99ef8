"""What of an evaluation describes a network, and which of its cases are the worst."""

import math
from pathlib import Path

import pytest

from shared.files import write_json, write_table
from shared.planning.measures import MEASURES, MOST, Spread, figures_of, over_folds, worst_cases

SEGMENTATION = MEASURES["segmentation"]


def evaluation(folder: Path, dice: dict[str, float]) -> Path:
    write_table(folder / "metrics.csv", [
        *({"case": case, "status": "ok", "dice_mean": value} for case, value in dice.items()),
        {"case": "broken", "status": "failed"},
    ])  # fmt: skip
    return folder


def test_the_ten_worst_of_all_folds_are_named_with_the_picture_that_their_own_fold_drew(tmp_path: Path) -> None:
    first = evaluation(tmp_path / "a", {f"a{n}": 0.50 + n / 100 for n in range(9)} | {"nothing": math.nan})
    second = evaluation(tmp_path / "b", {"b0": 0.511, "b1": 0.1, "b2": 0.9, "b3": 0.1})
    worst = worst_cases([first, second], SEGMENTATION)
    assert len(worst) == MOST
    assert [one.case for one in worst[:5]] == ["b1", "b3", "a0", "a1", "b0"]  # of equal ones by name
    assert [one.picture.relative_to(tmp_path).as_posix() for one in worst[:3]] == [
        "b/worst_1.png", "b/worst_2.png", "a/worst_1.png"
    ]  # fmt: skip
    assert worst[0].badness == -0.1


@pytest.mark.parametrize(
    ("task", "row", "score", "badness"),
    [
        ("detection", {"right": "6", "missed_or_wrong": "1", "too_many": "1"}, 0.75, 2),
        ("detection", {"right": "0", "missed_or_wrong": "0", "too_many": "0"}, 1.0, 0),  # nothing there, nothing found
        ("instances", {"ap": "0.25"}, 0.25, -0.25),
        ("registration", {"dice_after": "0.5", "folds_percent": "3"}, 0.5, -0.5),
        ("registration", {"folds_percent": "3"}, math.nan, 3),  # without labels
    ],
)
def test_a_case_has_a_score_and_a_rank(task: str, row: dict[str, str], score: float, badness: float) -> None:
    assert MEASURES[task].score(row) == pytest.approx(score, nan_ok=True)
    assert MEASURES[task].badness(row) == badness


def test_figures_are_means_under_names_that_a_card_can_mark_and_what_has_no_value_is_left_out(tmp_path: Path) -> None:
    known, unknown = {"mean": 0.5, "std": 0.1}, {"mean": None, "std": None}
    content = {"dice_mean": known, "dice_left lobe": known, "jaccard_mean": known, "hd95_mm_mean": unknown}
    write_json(tmp_path / "metrics.json", {"cases": 3, **content})
    assert figures_of(tmp_path, SEGMENTATION) == {"dice_mean": (0.5, 0.1), "dice_left_lobe": (0.5, 0.1)}
    boxes = {"ap": 0.25, "ap50": math.nan, "ap_small": 0.1, "ap50_a": 0.5, "confusion": {}}
    write_json(tmp_path / "metrics.json", boxes)
    assert figures_of(tmp_path, MEASURES["detection"]) == {"ap": (0.25, None), "ap50_a": (0.5, None)}


def test_over_folds_the_deviation_is_that_of_the_folds() -> None:
    folds = [{"ap": Spread(0.5, None), "ece": Spread(0.1, 0.2)}, {"ap": Spread(0.7, None)}]
    mean, deviation = over_folds(folds)["ap"]
    assert mean == pytest.approx(0.6)
    assert deviation == pytest.approx(0.1 * math.sqrt(2))  # of a sample of two
    assert over_folds(folds)["ece"] == (0.1, None)
    assert over_folds(folds[:1]) == folds[0]
