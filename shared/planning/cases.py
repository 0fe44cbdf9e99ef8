"""Which cases a planned bundle trains on and validates, and whether they suffice for what is asked for."""

from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser

from shared.errors import InputError
from shared.files import read_json
from shared.images.layouts import TRAINING, VALIDATION
from shared.planning.trainings import Trainings

ENTRIES = ("split", "subjects")  # of train.json: one of them gives the cases by part
LEAST_CASES = 8  # for training, of which a quarter is two


def entry_of(config: dict[str, Any]) -> str:
    """The name of the entry of a train.json that gives the cases by part."""
    return next(name for name in ENTRIES if name in config)


def split_options(folds: int, fold: int) -> dict[str, float]:
    """Of every config: the `fold`-th of equal parts is validated; those of the bundle where there are no folds."""
    return {} if folds == 1 else {"fold": fold, "validation_fraction": 1 / folds}


def parts_of(bundle: Path, dataset_dir: Path, **options: Any) -> dict[str, list[dict[str, Any]]]:
    """The cases by part, as train.json of `bundle` splits them with `options`."""
    config = read_json(bundle / "configs" / "train.json") | {"dataset_dir": str(dataset_dir)} | options
    parts: dict[str, list[dict[str, Any]]] = ConfigParser(config).get_parsed_content(entry_of(config))
    return parts


def check_cases(bundle: Path, dataset_dir: Path, trainings: Trainings) -> None:
    """Raises InputError where the data set cannot be split into the folds, or has not enough for a learning curve."""
    folds = trainings.folds
    if folds > 1:
        first, second = (parts_of(bundle, dataset_dir, **split_options(folds, fold)) for fold in (0, 1))
        if _names(first) == _names(second):
            raise InputError(
                "--folds", expected="cases of which each may be validated", got="a validation list of the data set",
                fix=f"train {bundle} without folds, or take the list away",
            )  # fmt: skip
    if trainings.learning_curve:
        training = parts_of(bundle, dataset_dir, **split_options(folds, 0))[TRAINING]
        unlabelled = "subjects" in read_json(bundle / "configs" / "train.json") and "label" not in training[0]
        if len(training) < LEAST_CASES or unlabelled:
            raise InputError(
                "--learning_curve", expected=f"{LEAST_CASES} training cases or more, with labels",
                got="none with labels" if unlabelled else f"{len(training)} cases", fix=f"train {bundle} without it",
            )  # fmt: skip


def _names(parts: dict[str, list[dict[str, Any]]]) -> set[str]:
    return {case["case"] for case in parts[VALIDATION]}
