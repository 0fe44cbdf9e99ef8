"""NVIDIA FLARE trains a bundle: two sites in its simulator, by the scripts of docs/."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from monai.bundle import create_workflow

from shared.files import read_table
from tests.running import environment_of
from tests.small import small_training

ROOT = Path(__file__).parents[1]
BUNDLE = ROOT / "bundles" / "hippocampus_mr_segmentation"


@pytest.mark.client
def test_the_simulators_weights_are_the_mean_of_what_two_sites_learned_in_three_rounds(
    tmp_path: Path, phantom_dataset: Callable[..., Path]
) -> None:
    pytest.importorskip("nvflare.recipe", reason="needs nvflare 2.9 or later")
    sites = [phantom_dataset(tmp_path / name, count=count) for name, count in (("small", 4), ("large", 7))]
    options = small_training(BUNDLE) | {"device": "cpu", "val_interval": 1}
    (tmp_path / "options.json").write_text(json.dumps(options))
    train = create_workflow(
        config_file=str(BUNDLE / "configs" / "train.json"), workflow_type="train", dataset_dir=str(sites[0]),
        output_dir=str(tmp_path / "none"), max_epochs=1, **options,
    )  # fmt: skip
    torch.save(train.network_def.state_dict(), tmp_path / "begun.pt")
    command = [
        sys.executable, ROOT / "docs" / "nvflare_job.py", BUNDLE, *sites, "--rounds", 3, "--epochs", 1,
        "--weights", tmp_path / "begun.pt", "--options", tmp_path / "options.json", "--output_dir", tmp_path / "out",
    ]  # fmt: skip
    done = subprocess.run(
        [str(part) for part in command], cwd=tmp_path, env=environment_of(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    states = [torch.load(tmp_path / "out" / name / "last.pt", weights_only=True) for name in ("small", "large")]
    for name in ("small", "large"):
        assert [row["epoch"] for row in read_table(tmp_path / "out" / name / "metrics.csv")] == ["1", "2", "3"]
    assert [*(tmp_path / "out" / "simulation").rglob("best_FL_global_model.pt")]  # by the sites' validation
    # Of 4 and 7 cases 3 and 6 are learned from, one a step.
    means = {name: (3 * value + 6 * states[1]["network"][name]) / 9 for name, value in states[0]["network"].items()}
    found = torch.load(tmp_path / "out" / "model.pt", weights_only=True)
    assert list(found) == list(means)
    for name, value in means.items():
        torch.testing.assert_close(found[name].double(), value.double(), rtol=1e-5, atol=1e-6, msg=name)
