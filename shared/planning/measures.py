"""By which figures of an evaluation a trained network is described, by task."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import NamedTuple

from shared.files import read_json, read_table

Row = Mapping[str, str]  # of an evaluation's metrics.csv
MOST = 10  # worst cases, of which there are pictures


@dataclass(frozen=True)
class Measure:
    """shown: the names of metrics.json that metadata and card have. key: the one by which trainings are compared.

    score: of a case, from 0 to 1, the higher the better; NaN where it has none. badness: of a case, the highest that of
    the worst, as the evaluation draws them; its size is `ranked_by`. picture: the file of the one at a place, from 1.
    """

    shown: str
    key: str
    score: Callable[[Row], float]
    badness: Callable[[Row], float]
    ranked_by: str
    picture: str = "worst_{}.png"


def number(row: Row, *names: str) -> float:
    """The first of these columns that the row has; NaN of none."""
    return next((float(row[name]) for name in names if row.get(name)), math.nan)


def _share_found(row: Row) -> float:
    right, wrong = number(row, "right"), _faults(row)
    return right / (right + wrong) if right + wrong else 1.0


def _faults(row: Row) -> float:
    return number(row, "missed_or_wrong") + number(row, "too_many")


MEASURES = {
    "segmentation": Measure(
        shown=r"dice_.*|hd95_[a-z]+_mean|ece",
        key="dice_mean",
        score=lambda row: number(row, "dice_mean"),
        badness=lambda row: -number(row, "dice_mean"),
        ranked_by="mean Dice",
    ),
    "detection": Measure(
        shown=r"ap|ap50|ap50_.*",
        key="ap",
        score=_share_found,
        badness=_faults,
        ranked_by="missed, wrong or too many",
    ),
    "instances": Measure(
        shown=r"ap|ap50|ap75|aji|pq",
        key="ap",
        score=lambda row: number(row, "ap"),
        badness=lambda row: -number(row, "ap"),
        ranked_by="AP",
        picture="worst.png",
    ),
    "registration": Measure(
        shown=r"dice_before|dice_after|folds_percent|sd_log_jacobian",
        key="dice_after",
        score=lambda row: number(row, "dice_after"),
        badness=lambda row: -number(row, "dice_after") if row.get("dice_after") else number(row, "folds_percent"),
        ranked_by="Dice, or without labels the % that folds",
    ),
}


class Spread(NamedTuple):
    """A mean and its standard deviation, if there is one."""

    mean: float
    deviation: float | None


def figures_of(evaluation: Path, measure: Measure) -> dict[str, Spread]:
    """The figures of the folder of an evaluation that metadata have, over its cases; one without a value is left out.

    A name becomes one that a card can mark: "dice_left lobe" is dice_left_lobe.
    """
    figures: dict[str, Spread] = {}
    for name, value in read_json(evaluation / "metrics.json").items():
        if re.fullmatch(measure.shown, name):
            spread = Spread(value["mean"], value["std"]) if isinstance(value, dict) else Spread(value, None)
            if spread.mean is not None and math.isfinite(spread.mean):
                figures[re.sub(r"\W", "_", name)] = spread
    return figures


def over_folds(figures: Sequence[Mapping[str, Spread]]) -> dict[str, Spread]:
    """The mean of the folds that have a figure, and their standard deviation; those of one as they are."""
    if len(figures) == 1:
        return dict(figures[0])
    values = {name: [one[name].mean for one in figures if name in one] for one in figures for name in one}
    return {name: Spread(mean(x), stdev(x) if len(x) > 1 else None) for name, x in values.items()}


def rows_of(evaluation: Path) -> list[dict[str, str]]:
    """The cases that were scored."""
    return [row for row in read_table(evaluation / "metrics.csv") if row["status"] == "ok"]


class WorstCase(NamedTuple):
    """badness: see `Measure`. picture: the evaluation's, whether it was drawn or not."""

    badness: float
    case: str
    picture: Path


def worst_cases(evaluations: Sequence[Path], measure: Measure) -> list[WorstCase]:
    """The MOST worst cases of the folders of evaluations, the worst first, ranked as the scorers of the tasks do."""
    worst: list[WorstCase] = []
    for folder in evaluations:
        ranked = sorted((-measure.badness(row), row["case"]) for row in rows_of(folder) if _is_ranked(row, measure))
        worst += [WorstCase(-rank, case, folder / measure.picture.format(place))
                  for place, (rank, case) in enumerate(ranked[:MOST], start=1)]  # fmt: skip
    return sorted(worst, key=lambda one: (-one.badness, one.case))[:MOST]


def _is_ranked(row: Row, measure: Measure) -> bool:
    return math.isfinite(measure.badness(row))
