"""The study of heads that are made worse, by a bundle that answers at once, and its report."""

import sys
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from shared.images.cases import find_labelled_cases
from shared.images.file import ImageFile
from shared.studies.head_perturbing import PERTURBATIONS
from shared.studies.no_heads import NO_HEADS
from shared.studies.robustness import NO_HEAD, NOTHING, Answer, answers, chosen, contrast_of, read_answers
from shared.studies.robustness_report import curves, write_report
from tests.running import script

ANSWERS_A_HEAD = 1 + sum(len(p.levels) for p in PERTURBATIONS.values())
VALUES = [0, 17, 53]


class Found:
    def __init__(self, image: ImageFile) -> None:
        """Class 1 where the image is bright: right as long as bright is bright."""
        self.labels = (image.values[0] > image.values.max() / 2).astype(np.uint8)
        self.quality = 1 - float(self.labels.mean())


class Thresholding:
    """Instead of an open bundle."""

    calls = 0

    def part(self, name: str) -> Any:
        parts = {"label_values": VALUES, "class_names": ["background", "left", "right"], "lowest_quality": 0.5}
        return parts[name]

    def predict(self, image: ImageFile) -> Found:
        self.calls += 1
        return Found(image)


@pytest.fixture
def heads(tmp_path: Path) -> Path:
    """Blocks that are bright and labelled 17, in four scans."""
    values = np.zeros((24, 24, 24), dtype=np.uint8)
    values[6:18, 6:18, 6:18] = 17
    for name in ("a_t1", "a_flair", "b_t1", "c_t1"):
        for end in ("", "_seg"):
            nib.save(nib.Nifti1Image(values, np.diag([2.0, 2, 2, 1])), tmp_path / f"{name}{end}.nii.gz")
    return tmp_path


def test_heads_are_chosen_evenly_of_each_contrast(heads: Path) -> None:
    cases = find_labelled_cases(heads)
    assert [case["case"] for _, case in chosen(cases, 2)] == ["a_flair", "a_t1", "c_t1"]
    assert len(chosen(cases, 0)) == 4
    assert [number for number, _ in chosen(cases, 0)] == [0, 1, 2, 3]
    assert contrast_of("sub/a_t1") == "T1"


def test_each_head_is_scored_as_it_is_and_perturbed_and_not_twice_by_the_same_weights(
    heads: Path, tmp_path: Path
) -> None:
    opened: Any = Thresholding()
    some, table = chosen(find_labelled_cases(heads), 1), tmp_path / "out" / "answers.csv"
    first = [answer for found in answers(opened, some, table, weights="w") for answer in found]
    assert len(first) == 2 * ANSWERS_A_HEAD + len(NO_HEADS) == opened.calls
    clean = {(a.head, a.dice) for a in first if a.perturbation == NOTHING}
    assert clean == {("a_flair", 1.0), ("a_t1", 1.0)}
    # What is bright is now dark, so that class 1 is found where it is not.
    assert {a.dice for a in first if a.perturbation == "inverted contrast" and a.level == 2} == {0.0}
    assert all(np.isnan(a.dice) for a in first if a.head == NO_HEAD)
    again = [answer for found in answers(opened, some, table, weights="w") for answer in found]
    assert opened.calls == len(first)
    assert repr(again) == repr(first) == repr(read_answers(table))  # NaN differs from itself, not its text
    list(answers(opened, some, table, weights="other"))
    assert opened.calls == 2 * len(first)


def made_up() -> list[Answer]:
    """Two heads of T1 and one of FLAIR: Dice falls from 0.8 by a tenth a level, and quality by half of that."""
    found = []
    for head, contrast in (("a_t1", "T1"), ("b_t1", "T1"), ("a_flair", "FLAIR")):
        found.append(Answer("w", head, contrast, NOTHING, 0.0, 0.8, 0.85))
        for name, perturbation in PERTURBATIONS.items():
            for i, level in enumerate(perturbation.levels, start=1):
                found.append(Answer("w", head, contrast, name, level, 0.8 - 0.1 * i, 0.85 - 0.05 * i))
    return [*found, Answer("w", NO_HEAD, "", "noise", 0.0, float("nan"), 0.1)]


def test_a_curve_begins_with_the_heads_as_they_are() -> None:
    found = curves(made_up()[:-1], "rotation (degrees)")
    assert list(found) == ["T1", "FLAIR"]
    levels, repetitions = found["T1"]
    assert list(levels) == [0, 15, 30, 45]
    np.testing.assert_allclose(repetitions, [[0.8, 0.7, 0.6, 0.5]] * 2)


def test_the_report_counts_what_is_warned_about_and_ranks_quality(tmp_path: Path, figures: list) -> None:
    text = write_report(tmp_path, made_up(), lowest_quality=0.72, knots=40, command="make it")
    assert (tmp_path / "robustness.md").read_text(encoding="utf-8") == text
    assert "2 T1, 1 FLAIR" in text
    assert "rho between `quality` and Dice is 1.00 over 54 images" in text
    assert "| rotation (degrees) | 30 | 0.600 | 0.600 | 0.750 | 0.750 |" in text
    # A Dice of 0.4 at the fourth level, which one perturbation has; of 0.5, and a quality of 0.70, at the third.
    failed, warned = (3 * sum(len(p.levels) >= least for p in PERTURBATIONS.values()) for least in (4, 3))
    assert f"| Dice < 0.5 | {failed} | {failed} |" in text
    assert f"| Dice ≥ 0.5 | {54 - failed} | {warned} |" in text
    assert "noise 0.10" in text
    assert len(figures[0].axes) == len(PERTURBATIONS)
    assert [label.get_text() for label in figures[0].axes[-1].get_xticklabels()] == ["no", "head", "all"]


def test_the_command_writes_its_report_beside_its_answers_and_into_the_docs(
    heads: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, out, docs = script("reproduce_brains"), tmp_path / "out", tmp_path / "docs"
    monkeypatch.setattr(module, "open_bundle", lambda *_, **__: Thresholding())
    arguments = ["--dataset_dir", str(heads), "--output_dir", str(out), "--docs_dir", str(docs), "--heads", "1"]
    monkeypatch.setattr(sys, "argv", ["reproduce_brains.py", *arguments])
    module.main()
    for folder in (out, docs):
        text = (folder / "robustness.md").read_text(encoding="utf-8")
        assert "python scripts/reproduce_brains.py --dataset_dir DIR --heads 1\n" in text
        assert str(tmp_path) not in text  # a folder of one machine says nothing on another
        assert all((folder / picture).is_file() for picture in ("robustness.png", "quality.png"))
    assert len(read_answers(out / "answers.csv")) == 2 * ANSWERS_A_HEAD + len(NO_HEADS)
