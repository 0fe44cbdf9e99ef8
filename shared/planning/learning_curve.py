"""Trainings of a bundle, any one, on parts of its training cases, and what more cases would bring by these."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shared.files import read_json, write_json
from shared.images.layouts import TRAINING
from shared.images.splits import with_training_share
from shared.planning.cases import entry_of, parts_of
from shared.planning.measures import MEASURES, Measure, rows_of
from shared.planning.planned import Planned
from shared.planning.power_law import Doubling, doubled
from shared.planning.thresholds import choose_thresholds, threshold_option
from shared.planning.training import OUTPUTS, Trained, begun, evaluate, train
from shared.planning.trainings import SHARES

IN_EPOCHS = ("max_epochs", "val_interval", "epochs_without_mosaic", "warmup_epochs")  # options
FIXED_LENGTH = {"pairs_per_epoch", "samples_per_epoch"}  # options with which an epoch is as long with fewer cases
WHOLE = "whole_split"  # what the entry of all cases is called in an overlay


def learning_curve(bundle: Path, dataset_dir: Path, planned: Planned, whole: Trained) -> Doubling:
    """By networks that are trained on SHARES of the cases of `whole`, in as many steps, and scored on the same ones.

    whole: is scored already. Each has thresholds of its own where there are any.
    """
    measure = MEASURES[planned.task]
    every = parts_of(bundle, dataset_dir, **whole.split)
    scores = {len(every[TRAINING]): _scores(whole.evaluation, measure)}
    for share in SHARES:
        number = len(with_training_share(every, share)[TRAINING])
        path = bundle / OUTPUTS / f"{number}_cases.json"
        config = read_json(bundle / "configs" / "train.json")
        write_json(path, overlay(config, share))
        options = stretched(config, len(every[TRAINING]) / number) | begun(planned.start)
        trained = train(bundle, dataset_dir, f"{number}_cases", split=whole.split, overlay=path, **options)
        own = threshold_option(planned, choose_thresholds(bundle, dataset_dir, planned, trained))
        scores[number] = _scores(evaluate(bundle, dataset_dir, trained, pictures=False, **own), measure)
    names = sorted(set.intersection(*(set(of_cases) for of_cases in scores.values())))
    return doubled({number: [of_cases[name] for name in names] for number, of_cases in scores.items()})


def overlay(config: Mapping[str, Any], share: float) -> dict[str, Any]:
    """What is laid over `config`, a train.json, so that it trains on a share of its cases."""
    entry = entry_of(dict(config))
    part = {"_target_": "shared.images.splits.with_training_share", "parts": f"@{WHOLE}", "share": share}
    return {WHOLE: config[entry], entry: part}


def stretched(config: Mapping[str, Any], factor: float) -> dict[str, float]:
    """The options of `config` that are in epochs, for epochs that are shorter by `factor`: it has as many steps."""
    if FIXED_LENGTH & config.keys():
        return {}
    known = {name: config[name] for name in IN_EPOCHS if name in config}
    return {name: round(x * factor) if isinstance(x, int) else x * factor for name, x in known.items()}


def _scores(evaluation: Path, measure: Measure) -> dict[str, float]:
    return {row["case"]: measure.score(row) for row in rows_of(evaluation)}
