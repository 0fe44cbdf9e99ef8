"""One network of any regularity against networks of one each: what is run, and what the report makes of known rows."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from shared.errors import InputError
from shared.files import write_table
from shared.studies.hypermorph import HyperMorph, Measured
from shared.studies.hypermorph_report import best_lambda, write_report
from tests.running import ROOT

BUNDLE = ROOT / "bundles" / "brain_mr_voxelmorph_registration"


def subjects(folder: Path, count: int) -> Path:
    """Labelled slices: of subject n, n voxels are of the left lateral ventricle (3) and one of the third (9)."""
    for number in range(count):
        own = folder / f"S{number}"
        own.mkdir(parents=True)
        label = np.zeros((8, 8, 1), np.uint8)
        label.reshape(-1)[: number + 1] = [*[3] * number, 9]
        nib.save(nib.Nifti1Image(label, np.eye(4)), own / "slice_seg24.nii.gz")
        image = np.random.default_rng(number).random((8, 8, 1), np.float32)
        nib.save(nib.Nifti1Image(image, np.eye(4)), own / "slice.nii.gz")
    return folder


class Runs:
    """What would be run, of which only the table is left that a run would leave."""

    def __init__(self) -> None:
        self.done: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, name: str, config: Path, options: Mapping[str, Any], *, log: Path, threads: int) -> None:
        self.done.append((config.stem, dict(options)))
        epochs = [{"epoch": e, "seconds": 2.0} for e in range(options.get("max_epochs", 0))]
        write_table(options["output_dir"] / "metrics.csv", epochs or [{"case": "a", "dice_after": 0.5}])


def test_each_weight_has_its_network_and_the_one_is_scored_at_each_and_nothing_is_done_twice(tmp_path: Path) -> None:
    runs, data = Runs(), subjects(tmp_path / "data", 4)
    options = {"overlap": 0.0, "validation_fraction": 0.5}
    study = HyperMorph(BUNDLE, tmp_path / "out", data, 3, (4, 8), options=options, run=runs)
    measured = study.measured([0.05, 5.0])
    trainings = [options for config, options in runs.done if config == "train"]
    assert [t["smoothness"] for t in trainings] == [0.5, 0.05, 5.0]
    assert [t["network_def"].get("regularity") for t in trainings] == [0.5, None, None]
    assert all(t["network_def"]["filters"] == [4, 8] and t["overlap"] == 0.0 for t in trainings)
    scorings = [options for config, options in runs.done if config == "evaluate"]
    # 0.05 and 5 are a tenth and ten times the weight that the one network was trained with in the middle.
    assert [s["network_def"].get("regularity") for s in scorings] == [pytest.approx(0), pytest.approx(1), None, None]
    assert [Path(s["weights"]).parent.name for s in scorings] == ["any", "any", "lambda_0.05", "lambda_5"]
    assert all(s["part"] == "validation" and s["validation_fraction"] == 0.5 for s in scorings)
    assert measured.seconds == {"one": 6.0, "own": 12.0}  # three epochs of two seconds each
    study.measured([0.05, 5.0])
    assert len(runs.done) == 7


def test_the_ventricles_of_a_pair_are_those_of_both_images(tmp_path: Path) -> None:
    data = subjects(tmp_path / "data", 4)
    study = HyperMorph(BUNDLE, tmp_path, data, 1, (4, 8), options={"validation_fraction": 0.5})
    for case, voxels in study.ventricles().items():
        assert voxels == sum(int(name.removeprefix("S")) for name in case.split("_to_"))


def test_a_weight_that_the_network_is_not_trained_for_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    runs = Runs()
    with pytest.raises(InputError, match=r"--lambdas: expected 0\.05 to 5, got 6"):
        HyperMorph(BUNDLE, tmp_path, tmp_path, 1, (4, 8), run=runs).measured([0.5, 6.0])
    assert runs.done == []


def rows(left: float, right: float, *, large: float) -> list[dict[str, str]]:
    """Two pairs, "s" with small and "l" with large ventricles, of one structure a side."""
    figures = {"folds_percent": "0.25", "sd_log_jacobian": "0.5"}
    sides = {"dice_after_left_caudate": str(left), "dice_after_right_caudate": str(right), "dice_after_brain_stem": ""}
    return [{"case": c, "dice_after": str(d), **figures, **sides} for c, d in (("s", 0.6), ("l", large))]


def test_the_report_has_both_ways_and_what_the_best_weight_gains(tmp_path: Path) -> None:
    one = {0.1: rows(0.5, 0.7, large=0.8), 1.0: rows(0.7, 0.7, large=0.7)}
    own = {0.1: rows(0.5, 0.7, large=0.7), 1.0: rows(0.7, 0.7, large=0.8)}
    measured = Measured(one, own, {"one": 10.0, "own": 20.0}, {"s": 5, "l": 9})
    text = write_report(tmp_path, measured, budget="a budget", command="make it")
    assert "| 0.1 | 0.700 | 0.650 | 0.250 | 0.250 | 0.500 | 0.500 |" in text
    assert "+0.000 Dice on average, from -0.050 to +0.050" in text
    assert "took 10 s of the clock for the one network and 20 s for the 2" in text
    assert "| all structures | 0.1 | 0.700 | +0.000 | 1 | 0.700 | +0.000 |" in text
    assert "| small ventricles | 0.1 | 0.600 | +0.000 | 0.1 | 0.600 | +0.000 |" in text
    assert "| large ventricles | 0.1 | 0.800 | +0.000 | 1 | 0.800 | +0.000 |" in text
    assert "| caudate | 1 | 0.700 | +0.100 | 1 | 0.700 | +0.000 |" in text  # left and right: 0.6 at 0.1
    assert "brain stem" not in text  # in no pair
    assert (tmp_path / "hypermorph.png").is_file()


def test_of_weights_that_do_as_well_the_smallest_is_the_best_and_one_without_a_score_never() -> None:
    assert best_lambda({2.0: 0.5, 1.0: 0.5, 0.5: float("nan")}) == 1.0
