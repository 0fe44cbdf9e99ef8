"""The study of the MultiResUNet paper, on a folder of images and masks."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.errors import InputError
from shared.files import read_table
from tests.running import assert_ended_with_a_line, environment_of, script


@pytest.fixture
def study(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """The script, as far as it is in this process: each training is in its own."""
    module = script("reproduce_multiresunet")

    def run(data: Path, out: Path, *options: str) -> None:
        arguments = ["--dataset_dir", str(data), "--output_dir", str(out), "--folds", "2", "--networks", "U-Net"]
        arguments += ["--max_epochs", "1", "--filters", "4", "8", "--patch_size", "[32,32]", "--crops_per_image", "1"]
        monkeypatch.setattr(sys, "argv", ["reproduce_multiresunet.py", *arguments, *options])
        module.main()

    return run


def test_a_study_scores_every_image_once_by_a_network_that_was_not_trained_on_it_and_goes_on_where_it_was(
    study: Callable[..., None], tmp_path: Path, phantom_dataset: Callable[..., Path]
) -> None:
    data, out = phantom_dataset(tmp_path / "data", count=4, shape=(40, 48), num_classes=2), tmp_path / "out"
    study(data, out)
    clean = [row for row in read_table(out / "scores.csv") if not row["perturbation"]]
    assert sorted(row["case"] for row in clean) == [f"images/case_{i}" for i in range(4)]
    for fold in range(2):
        assert len(read_table(out / "runs" / f"unet_fold{fold}" / "metrics.csv")) == 1
    weights = {path: path.stat().st_mtime_ns for path in out.rglob("last.pt")}
    (out / "runs" / "unet_fold1" / "scores.csv").unlink()
    study(data, out)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("last.pt")} == weights  # nothing was trained anew
    assert [row for row in read_table(out / "scores.csv") if not row["perturbation"]] == clean
    with pytest.raises(InputError, match="other values of learning_rate"):
        study(data, out, "--learning_rate", "0.5")


def test_a_folder_that_is_not_there_is_told_of_in_one_line(root: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(root / "scripts" / "reproduce_multiresunet.py"), "--dataset_dir", "nowhere"]
    done = subprocess.run(command, cwd=tmp_path, env=environment_of(), capture_output=True, text=True, check=False)
    assert_ended_with_a_line(done, "error: nowhere: expected the folders")


def test_what_is_wrong_with_an_option_of_training_is_told(
    study: Callable[..., None], tmp_path: Path, phantom_dataset: Callable[..., Path]
) -> None:
    data = phantom_dataset(tmp_path / "data", count=4, shape=(40, 48), num_classes=2)
    with pytest.raises(InputError, match=r"did you mean --learning_rate\?"):
        study(data, tmp_path / "out", "--learning_rat", "1")
