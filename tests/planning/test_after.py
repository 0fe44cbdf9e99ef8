"""After a plan with --train the bundle has weights, figures and a report: by folds, and as an ensemble if asked for."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from shared.errors import InputError
from shared.files import read_table
from shared.planning.command import main
from shared.zoo.index import describe
from tests.planning.conftest import RunCommand, RunHere
from tests.running import run_here

Maker = Callable[..., Path]
LEVELS = 4  # of images of 48 × 40, whose sides are halved down to 6 and 5
SHORT = {"max_epochs": 1, "val_interval": 1, "batch_size": 4}


def config(bundle: Path, name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((bundle / "configs" / f"{name}.json").read_text(encoding="utf-8"))
    return content


def test_folds_an_ensemble_and_a_learning_curve_of_a_segmentation(
    phantom_dataset: Maker, new_bundle: RunCommand, runs_here: RunHere, tmp_path: Path
) -> None:
    data = phantom_dataset(tmp_path / "data", count=16, shape=(48, 40))
    narrow: dict[str, Any] = {"network_def#filters": [4] * LEVELS}
    runs = runs_here(train={**SHORT, **narrow, "crops_per_image": 1}, evaluate={**narrow, "pictures": False})
    bundle = new_bundle("cells_seg", data, "--train", "--folds", "2", "--ensemble", "--learning_curve")

    split = [{"fold": fold, "validation_fraction": 0.5} for fold in (0, 1)]
    assert [run["config"] for run in runs] == ["train"] * 2 + ["evaluate"] * 2 + ["train", "evaluate"] * 2
    assert [{key: run[key] for key in split[0]} for run in runs] == [*split, *split, *[split[0]] * 4]
    epochs = config(bundle, "train")["max_epochs"]
    assert [runs[place]["max_epochs"] for place in (4, 6)] == [4 * epochs, 2 * epochs]  # of 2 and 4 of 8 cases

    # Each case is scored once, by the network that was not trained on it.
    scored = [{row["case"] for row in read_table(runs[place]["output_dir"] / "metrics.csv")} for place in (2, 3)]
    assert [len(names) for names in scored] == [8, 8]
    assert not scored[0] & scored[1]
    each = [json.loads((runs[place]["output_dir"] / "metrics.json").read_text()) for place in (2, 3)]
    dice = sum(one["dice_mean"]["mean"] for one in each) / 2
    assert describe(bundle)["metrics"]["dice_mean"] == pytest.approx(dice, abs=0.0006)  # fits the schema, too

    state = torch.load(bundle / "models" / "model.pt", weights_only=True)
    for fold in (0, 1):
        own = torch.load(bundle / "outputs" / f"fold_{fold}" / "model.pt", weights_only=True)
        assert all(torch.equal(state[f"networks.{fold}.{name}"], value) for name, value in own.items())
    image = next((data / "images").iterdir())
    out = run_here(bundle, tmp_path / "out", dataset_dir=image, pictures=False, **narrow)
    assert [row["status"] for row in read_table(out / "summary.csv")] == ["ok"]
    assert config(bundle, "inference")["network_def"]["count"] == 2
    assert config(bundle, "train")["network_def"]["_target_"] == "shared.nets.axis_unet.AxisUNet"  # one is trained

    report = (bundle / "docs" / "report.md").read_text(encoding="utf-8")
    assert "## The 10 worst cases" in report
    assert "Twice the data, 16 training cases, would bring about" in report
    assert "mean of the 2" in report
    assert "| fold | cases | dice_mean |" in report


@pytest.mark.slow
def test_probabilities_of_a_segmentation_are_calibrated(
    phantom_dataset: Maker, new_bundle: RunCommand, runs_here: RunHere, tmp_path: Path
) -> None:
    data = phantom_dataset(tmp_path / "data", count=8, shape=(48, 40))
    narrow: dict[str, Any] = {"network_def#filters": [4] * LEVELS}
    runs = runs_here(train={**SHORT, **narrow, "crops_per_image": 1}, evaluate=narrow)
    bundle = new_bundle("cells_seg", data, "--train")
    assert [run["config"] for run in runs] == ["train", "evaluate", "evaluate"]
    plain, final = (json.loads((run["output_dir"] / "metrics.json").read_text()) for run in runs[1:])
    chosen = round(plain["temperature"]["median"], 2)
    assert chosen != 1
    assert config(bundle, "inference")["temperature"] == config(bundle, "evaluate")["temperature"] == chosen
    assert final["ece"]["mean"] != plain["ece"]["mean"]
    assert final["dice_mean"] == plain["dice_mean"]
    assert describe(bundle)["metrics"]["ece"] == round(final["ece"]["mean"], 3)
    assert f"divided by {chosen:g}" in (bundle / "docs" / "report.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_thresholds_of_a_detection_are_chosen_and_its_worst_cases_have_pictures(
    boxed_dataset: Maker, new_bundle: RunCommand, runs_here: RunHere, tmp_path: Path
) -> None:
    data = boxed_dataset(tmp_path / "data", count=10, class_names=["bright", "dark"])
    small: dict[str, Any] = {"network_def#filters": [8, 8, 16, 16, 16], "input_size": 64}
    runs = runs_here(train={**SHORT, **small, "warmup_epochs": 0.5}, evaluate=small)
    bundle = new_bundle("squares", data, "--train", "--start", "none")
    assert [run["config"] for run in runs] == ["train", "evaluate", "evaluate"]
    right = json.loads((runs[1]["output_dir"] / "metrics.json").read_text())["at_threshold"]
    chosen = config(bundle, "inference")["threshold"]
    assert chosen.keys() == {"bright", "dark"}
    for name, threshold in chosen.items():
        wanted = right[name]["counts_right"]
        assert threshold == (0.25 if wanted is None else pytest.approx(max(0.01, wanted), abs=0.01))
    assert describe(bundle)["metrics"].keys() >= {"ap", "ap50", "ap50_bright", "ap50_dark"}
    report = (bundle / "docs" / "report.md").read_text(encoding="utf-8")
    assert f"| bright | {chosen['bright']:g} |" in report
    worst = read_table(runs[2]["output_dir"] / "metrics.csv")
    faults = {row["case"]: int(row["missed_or_wrong"]) + int(row["too_many"]) for row in worst}
    first = max(sorted(faults), key=lambda name: faults[name])
    assert f"| {first} | {faults[first]} | `outputs/training/validation/worst_1.png` |" in report
    assert (bundle / "outputs" / "training" / "validation" / "worst_1.png").is_file()
    assert (bundle / "docs" / "training.png").is_file()


def test_a_data_set_that_lists_its_validation_cases_has_no_folds(
    phantom_dataset: Maker, new_bundle: RunCommand, runs_here: RunHere, tmp_path: Path
) -> None:
    data = phantom_dataset(tmp_path / "data", count=4, shape=(48, 40))
    (data / "dataset.json").write_text(json.dumps({"validation": ["images/case_1.png"]}), encoding="utf-8")
    runs = runs_here()
    with pytest.raises(InputError, match="--folds: expected cases of which each may be validated"):
        new_bundle("cells_seg", data, "--train", "--folds", "2")
    assert not runs


def test_few_cases_have_no_learning_curve(
    phantom_dataset: Maker, new_bundle: RunCommand, runs_here: RunHere, tmp_path: Path
) -> None:
    data, runs = phantom_dataset(tmp_path / "data", count=4, shape=(48, 40)), runs_here()
    with pytest.raises(InputError, match=r"--learning_curve: expected 8 training cases or more, .* got 3 cases"):
        new_bundle("cells_seg", data, "--train", "--learning_curve")
    assert not runs


def test_the_options_are_refused_before_anything_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = ["new_bundle", "cells_seg", "--dataset_dir", str(tmp_path), "--task", "segmentation", "--folds", "2"]
    monkeypatch.setattr("sys.argv", given)
    with pytest.raises(InputError, match="add --train"):
        main()
