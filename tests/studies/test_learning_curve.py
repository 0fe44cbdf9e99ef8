"""Trainings that differ in the number of label maps alone."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from shared.errors import InputError
from shared.files import write_table
from shared.studies import learning_curve
from shared.studies.learning_curve import Curve, write_report
from shared.synthesis.maps import split_label_maps


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Mapping[str, Any]]]:
    """What would be run, by name of the config, which only leaves the table that a run would."""
    found: list[tuple[str, Mapping[str, Any]]] = []

    def run(name: str, config: Path, options: Mapping[str, Any], *, log: Path, threads: int) -> None:
        found.append((config.stem, options))
        epochs = [{"epoch": e} for e in range(options.get("max_epochs", 0))]
        write_table(options["output_dir"] / "metrics.csv", epochs or [{"case": "a_t1", "dice_mean": 0.5}])

    monkeypatch.setattr(learning_curve, "run_config", run)
    return found


def test_a_network_learns_from_the_first_maps_and_what_is_done_is_not_done_again(tmp_path: Path, runs: list) -> None:
    for number in range(4):
        (tmp_path / "maps").mkdir(exist_ok=True)
        (tmp_path / "maps" / f"{number}.nii.gz").touch()
    curve = Curve(tmp_path / "bundle", tmp_path / "out", tmp_path / "maps", tmp_path / "heads", epochs=3)
    for count in (1, 3):
        assert curve.scores(count) == {"a_t1": 0.5}
        (config, training), (_, evaluation) = runs[-2:]
        assert config == "train"
        parts = split_label_maps(training["dataset_dir"])
        assert [Path(case["image"]).name for case in parts["training"]] == [f"{n}.nii.gz" for n in range(count)]
        assert [Path(case["image"]).resolve().name for case in parts["validation"]] == ["0.nii.gz"]
        assert evaluation["network_def#filters"] == training["network_def#filters"]
        assert evaluation["weights"] == training["output_dir"] / "model.pt"
    curve.scores(1)
    assert len(runs) == 4
    with pytest.raises(InputError, match="--maps: expected 1 to 4, got 5"):
        curve.scores(5)


def test_the_table_has_the_mean_of_each_contrast_and_the_budget(tmp_path: Path) -> None:
    scores = {1: {"a_t1": 0.2, "b_t1": 0.4, "a_flair": 0.1}, 20: {"a_t1": 0.5, "b_t1": 0.6, "a_flair": 0.4}}
    text = write_report(tmp_path, scores, epochs=3, command="make it")
    assert "| 1 | 0.300 | 0.100 |\n| 20 | 0.550 | 0.400 |" in text
    assert "3 epochs of 200 images, 150 steps of 4" in text
    assert (tmp_path / "learning_curve.png").is_file()
