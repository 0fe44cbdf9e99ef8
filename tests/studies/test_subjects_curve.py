"""Trainings of a registration that differ in the number of subjects alone."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from shared.errors import InputError
from shared.files import write_table
from shared.studies.running import budget_of, command_of
from shared.studies.subjects_curve import ALONE, BEFORE, REFINED, SubjectsCurve, write_report
from shared.tasks.registration.subjects import split_subjects
from tests.running import ROOT, script
from tests.studies.test_hypermorph import Runs, subjects

BUNDLE = ROOT / "bundles" / "brain_mr_voxelmorph_registration"


class Scored(Runs):
    """Rows whose Dice is higher with refinement."""

    def __call__(self, name: str, config: Path, options: Mapping[str, Any], *, log: Path, threads: int) -> None:
        super().__call__(name, config, options, log=log, threads=threads)
        if config.stem == "evaluate":
            after = 0.7 if options.get("refine_steps") else 0.5
            row = {"case": "a", "dice_before": 0.25, "dice_after": after}
            write_table(options["output_dir"] / "metrics.csv", [row])


def images(parts: Mapping[str, list[dict[str, str]]], part: str) -> set[Path]:
    return {Path(subject["image"]).resolve() for subject in parts[part]}


def test_fewer_subjects_are_among_the_more_and_the_same_ones_score(tmp_path: Path) -> None:
    runs, data = Scored(), subjects(tmp_path / "data", 8)
    options = {"validation_fraction": 0.4}
    curve = SubjectsCurve(BUNDLE, tmp_path / "out", data, 3, (4, 8), validation=2, options=options, run=runs)
    scores = [curve.scores(count) for count in (2, 4)]
    assert scores == [{BEFORE: [0.25], ALONE: [0.5], REFINED: [0.7]}] * 2
    few, many = (split_subjects(options["dataset_dir"]) for config, options in runs.done if config == "train")
    assert len(images(few, "training")) == 2
    assert images(few, "training") < images(many, "training")
    assert images(few, "validation") == images(many, "validation")
    assert len(images(few, "validation")) == 2
    # The data set's own split keeps the trained and the scored apart.
    whole = split_subjects(data, label_suffix="_seg24", fraction=0.4)
    assert images(many, "training") <= images(whole, "training")
    assert images(many, "validation") <= images(whole, "validation")
    assert [options.get("refine_steps", 0) for config, options in runs.done if config == "evaluate"] == [0, 50, 0, 50]
    curve.scores(2)
    assert len(runs.done) == 6
    with pytest.raises(InputError, match="--subjects: expected 2 to 5, got 6"):
        curve.scores(6)


def test_the_table_has_means_spreads_and_the_gain(tmp_path: Path) -> None:
    few = {BEFORE: [0.2, 0.4], ALONE: [0.4, 0.6], REFINED: [0.6, 0.7]}
    text = write_report(tmp_path, {10: few, 306: few}, steps=50, budget="a budget", command="make it")
    assert "| 10 | 0.500 ± 0.100 | 0.650 ± 0.050 | +0.150 |\n| 306 |" in text
    assert "on 2 pairs" in text
    assert "their Dice is 0.300" in text
    assert (tmp_path / "learning_curve.png").is_file()


def test_a_report_names_the_budget_and_no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    given = ["--dataset_dir", "/data", "--subjects", "10", "0", "--output_dir", "/out"]
    monkeypatch.setattr("sys.argv", ["study.py", *given])
    assert command_of("study") == "python scripts/study.py --subjects 10 0"
    assert command_of("study", "--dataset_dir", "A") == "python scripts/study.py --dataset_dir A --subjects 10 0"
    budget = budget_of(BUNDLE, 3, [4, 8], {"pairs_per_epoch": 100})
    assert budget == "3 epochs of 100 pairs in batches of 4, features 4, 8"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "report", "options"),
    [
        ("reproduce_hypermorph", "hypermorph.md", ["--lambdas", "0.1", "--validation_fraction", "0.5"]),
        ("learning_curve", "learning_curve.md", ["--subjects", "2", "--validation_subjects", "2", "--steps", "1"]),
    ],
)
def test_a_study_runs_to_its_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, report: str, options: list[str]
) -> None:
    data, module = subjects(tmp_path / "data", 5), script(name)
    folders = ["--dataset_dir", str(data), "--output_dir", str(tmp_path / "out"), "--docs_dir", str(tmp_path / "docs")]
    budget = ["--max_epochs", "1", "--filters", "4", "4", "--pairs_per_epoch", "2", "--patch_size", "[32,32]"]
    monkeypatch.setattr("sys.argv", [name, *folders, *budget, *options])
    module.main()
    text = (tmp_path / "docs" / report).read_text(encoding="utf-8")
    assert (tmp_path / "out" / report).read_text(encoding="utf-8") == text
    assert str(tmp_path) not in text
