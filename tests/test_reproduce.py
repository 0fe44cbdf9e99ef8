"""The study of the MultiResUNet paper, as a user runs it on a folder of images and masks."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from shared.files import read_table


def study(root: Path, data: Path, out: Path, *options: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-W", "ignore", str(root / "scripts" / "reproduce_multiresunet.py")]
    command += ["--dataset_dir", str(data), "--output_dir", str(out), "--folds", "2", "--networks", "U-Net"]
    command += ["--max_epochs", "1", "--filters", "4", "8", "--patch_size", "[32,32]", "--crops_per_image", "1"]
    return subprocess.run([*command, *options], capture_output=True, text=True, check=False, cwd=out.parent)


def test_a_study_scores_every_image_once_by_a_network_that_was_not_trained_on_it_and_goes_on_where_it_was(
    root: Path, tmp_path: Path, phantom_dataset: Callable[..., Path]
) -> None:
    data, out = phantom_dataset(tmp_path / "data", count=4, shape=(40, 48), num_classes=2), tmp_path / "out"
    done = study(root, data, out)
    assert done.returncode == 0, done.stderr
    clean = [row for row in read_table(out / "scores.csv") if not row["perturbation"]]
    assert sorted(row["case"] for row in clean) == [f"images/case_{i}" for i in range(4)]
    for fold in range(2):
        assert len(read_table(out / "runs" / f"unet_fold{fold}" / "metrics.csv")) == 1
    weights = {path: path.stat().st_mtime_ns for path in out.rglob("last.pt")}
    (out / "runs" / "unet_fold1" / "scores.csv").unlink()
    again = study(root, data, out)
    assert again.returncode == 0, again.stderr
    assert {path: path.stat().st_mtime_ns for path in out.rglob("last.pt")} == weights  # nothing was trained anew
    assert [row for row in read_table(out / "scores.csv") if not row["perturbation"]] == clean
    other = study(root, data, out, "--learning_rate", "0.5")
    assert other.returncode == 1
    assert "other values of learning_rate" in other.stderr.splitlines()[-1]


def test_a_folder_that_is_not_there_and_an_unknown_option_are_told_of_in_one_line(root: Path, tmp_path: Path) -> None:
    done = study(root, tmp_path / "nowhere", tmp_path / "out")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"error: {tmp_path / 'nowhere'}: expected the folders")
    assert "Traceback" not in done.stderr


def test_what_is_wrong_with_an_option_of_training_is_told(
    root: Path, tmp_path: Path, phantom_dataset: Callable[..., Path]
) -> None:
    data = phantom_dataset(tmp_path / "data", count=4, shape=(40, 48), num_classes=2)
    done = study(root, data, tmp_path / "out", "--learning_rat", "1")
    assert done.returncode == 1
    assert "did you mean --learning_rate?" in done.stderr.splitlines()[-1]
