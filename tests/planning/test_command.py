"""The command goes on to a training, plans for a GPU that is not there, and says how."""

import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from shared.errors import InputError
from shared.files import write_json, write_table
from shared.planning import training
from tests.planning.conftest import RunCommand

PhantomMaker = Callable[..., Path]


def test_train_goes_on_to_train_json_and_keeps_its_best_network(
    phantom_dataset: PhantomMaker, new_bundle: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[Sequence[str]] = []

    def run(command: Sequence[str], *, cwd: Path, **_: Any) -> subprocess.CompletedProcess:
        assert cwd == tmp_path / "bundles" / "cells_seg"
        runs.append(command)
        output = Path(command[command.index("--output_dir") + 1])
        output.mkdir(parents=True)
        (output / "model.pt").write_bytes(b"weights")
        write_json(output / "metrics.json", {"cases": 1, "dice_mean": {"mean": 0.8125, "std": 0.0}})
        write_table(output / "metrics.csv", [{"case": "a", "status": "ok", "dice_mean": 0.8125}])
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(training.subprocess, "run", run)
    data = phantom_dataset(tmp_path / "data")
    bundle = new_bundle("cells_seg", data, "--train")
    assert (bundle / "models" / "model.pt").read_bytes() == b"weights"
    configs = ["configs/train.json", *["configs/evaluate.json"] * 2]  # the first is for the temperature
    assert [command[3:8] for command in runs] == [["-m", "monai.bundle", "run", "--config_file", c] for c in configs]
    assert all(command[command.index("--dataset_dir") + 1] == str(data) for command in runs)
    for run_ in runs[1:]:
        assert run_[run_.index("--weights") + 1] == runs[0][runs[0].index("--output_dir") + 1] + "/model.pt"
        assert run_[run_.index("--part") + 1] == "validation"
    card = (bundle / "docs" / "README.md").read_text(encoding="utf-8")
    assert "dice_mean 0.812<!--dice_mean-->. 1 validation case," in card


def test_a_training_that_fails_is_a_line_and_the_bundle_stays(
    phantom_dataset: PhantomMaker, new_bundle: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training.subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 1))
    with pytest.raises(InputError, match="expected a run that ends well, got exit code 1"):
        new_bundle("cells_seg", phantom_dataset(tmp_path / "data"), "--train")
    assert (tmp_path / "bundles" / "cells_seg" / "configs" / "train.json").is_file()


def test_without_a_gpu_one_of_8_gib_is_planned_for(
    phantom_dataset: PhantomMaker, new_bundle: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    bundle = new_bundle("cells_seg", phantom_dataset(tmp_path / "data"), "--budget", "gpu")
    train = json.loads((bundle / "configs" / "train.json").read_text(encoding="utf-8"))
    assert train["network_def"]["filters"][0] == 32  # nnU-Net's
    assert 900 < train["max_epochs"] <= 1000  # 50,000 steps, of 50 or a few more an epoch
    assert "takes an unknown time" in (bundle / "docs" / "README.md").read_text(encoding="utf-8")
