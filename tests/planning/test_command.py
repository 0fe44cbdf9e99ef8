"""The command goes on to a training, plans for a GPU that is not there, and says how."""

import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from shared.errors import InputError
from shared.planning import training
from tests.planning.conftest import RunCommand

PhantomMaker = Callable[..., Path]


def test_train_goes_on_to_train_json_and_keeps_its_best_network(
    phantom_dataset: PhantomMaker, new_bundle: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run: dict[str, Any] = {}

    def trained(command: Sequence[str], *, cwd: Path, **_: Any) -> subprocess.CompletedProcess:
        run.update(command=command, cwd=cwd)
        output = Path(command[command.index("--output_dir") + 1])
        output.mkdir(parents=True)
        (output / "model.pt").write_bytes(b"weights")
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(training.subprocess, "run", trained)
    data = phantom_dataset(tmp_path / "data")
    bundle = new_bundle("cells_seg", data, "--train")
    assert (bundle / "models" / "model.pt").read_bytes() == b"weights"
    assert run["cwd"] == bundle
    assert run["command"][3:8] == ["-m", "monai.bundle", "run", "--config_file", "configs/train.json"]
    assert run["command"][run["command"].index("--dataset_dir") + 1] == str(data)


def test_a_training_that_fails_is_a_line_and_the_bundle_stays(
    phantom_dataset: PhantomMaker, new_bundle: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training.subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 1))
    with pytest.raises(InputError, match="expected a training that ends well"):
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
