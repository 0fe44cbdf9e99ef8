"""What follows a plan with --train: trainings, thresholds, scores, a report, and the bundle as it is by all that."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import torch

from shared.files import write_atomically
from shared.nets.ensemble import ensemble_state
from shared.planning.cases import check_cases, split_options
from shared.planning.learning_curve import learning_curve
from shared.planning.measures import MEASURES
from shared.planning.planned import Planned
from shared.planning.report import report_text
from shared.planning.results import PICTURES, Results
from shared.planning.thresholds import choose_temperature, choose_thresholds, with_thresholds
from shared.planning.training import Trained, begun, evaluate, train
from shared.planning.trainings import Trainings
from shared.planning.writing import title_of, write_again


def train_and_report(
    bundle: Path, dataset_dir: Path, planned: Planned, trainings: Trainings, *, source: str, licence: str
) -> Results:
    """Train the written `bundle`, choose thresholds or temperature, score it on validation and write docs/report.md.

    source, licence: of the data, as `write_bundle` has them. models/model.pt is there as soon as a network is trained.
    Raises InputError where the cases do not suffice, or a run fails.
    """
    check_cases(bundle, dataset_dir, trainings)
    trained = [_train_fold(bundle, dataset_dir, planned, trainings.folds, fold) for fold in range(trainings.folds)]
    shutil.copy(trained[0].weights, bundle / "models" / "model.pt")
    thresholds = choose_thresholds(bundle, dataset_dir, planned, trained[0])
    final = with_thresholds(planned, thresholds) if thresholds else planned
    temperature = None if trainings.ensemble else choose_temperature(bundle, dataset_dir, planned, trained[0])
    if temperature is not None:
        final = final.changed(temperature=temperature)
    write_again(bundle, final, source=source, licence=licence)
    for one in trained:
        evaluate(bundle, dataset_dir, one)
    doubling = learning_curve(bundle, dataset_dir, planned, trained[0]) if trainings.learning_curve else None
    if trainings.ensemble:
        final = final.changed(ensemble=len(trained))
        _write_ensemble(bundle / "models" / "model.pt", trained)
    results = Results(
        bundle=bundle, trained=trained, measure=MEASURES[planned.task], thresholds=thresholds,
        temperature=temperature, ensemble=trainings.ensemble, doubling=doubling,
    )  # fmt: skip
    _write_report(bundle, results)
    write_again(bundle, final, source=source, licence=licence, results=results)
    return results


def _train_fold(bundle: Path, dataset_dir: Path, planned: Planned, folds: int, fold: int) -> Trained:
    name = "training" if folds == 1 else f"fold_{fold}"
    return train(bundle, dataset_dir, name, split=split_options(folds, fold), **begun(planned.start))


def _write_ensemble(path: Path, trained: Sequence[Trained]) -> None:
    states = [torch.load(one.weights, map_location="cpu", weights_only=True) for one in trained]
    write_atomically(path, lambda temporary: torch.save(ensemble_state(states), temporary))


def _write_report(bundle: Path, results: Results) -> None:
    docs, first = bundle / "docs", results.trained[0]
    for name in PICTURES:
        for folder in (first.folder, first.evaluation):
            if (folder / name).is_file():
                shutil.copy(folder / name, docs / name)
    text = report_text(title_of(bundle), results)
    write_atomically(docs / "report.md", lambda path: path.write_text(text, encoding="utf-8"))
    print(f"\n{text}")
