"""A folder of numbered objects becomes a bundle that trains and outlines them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from shared.errors import InputError
from shared.files import read_table
from shared.planning import instances_plan
from shared.planning.instances_plan import anchor_sizes, patch_size, squares
from shared.planning.measuring import made
from shared.tasks.instances.learner import MaskRCNNLearner
from shared.zoo import probe
from tests.planning.conftest import RunCommand
from tests.running import run_here, write_picture

SMALL: dict[str, Any] = {
    "network_def#filters": [8, 8], "network_def#repeats": [1, 1], "network_def#anchor_sizes": [[8, 14]],
    "network_def#channels": 16,
}  # fmt: skip


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    """Bright squares of 10 pixels, two more in each picture than in the one before."""
    rng = np.random.default_rng(0)
    for number in range(5):
        ids = np.zeros((60, 80), dtype=np.uint16)
        for place in range(4 + 2 * number):
            row, column = 14 * (place // 5) + 2, 15 * (place % 5) + 2
            ids[row : row + 10, column : column + 10] = place + 1
        image = np.where(ids > 0, 200, 50) + rng.integers(0, 20, ids.shape)
        write_picture(tmp_path / "data" / "images" / f"{number}.png", image.astype(np.uint8))
        write_picture(tmp_path / "data" / "labels" / f"{number}.png", ids)
    return tmp_path / "data"


@pytest.fixture(autouse=True)
def nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instances_plan, "step_seconds", lambda network, patch, device: network["filters"][0] / 100)


def test_a_planned_bundle_trains_and_outlines(cells: Path, new_bundle: RunCommand, tmp_path: Path) -> None:
    bundle = new_bundle("squares", cells, "--budget", "30m", "--copy_samples", "--licence", "CC0")
    train = json.loads((bundle / "configs" / "train.json").read_text(encoding="utf-8"))
    assert train["channels"] == 1
    assert probe.network(bundle)  # takes and gives what metadata.json says, or raises
    assert train["network_def"]["filters"] == [32, 64, 128, 192]  # 3,000 steps of 0.32 s are within 22 minutes
    short: dict[str, Any] = {"max_epochs": 1, "batch_size": 2, "patch_size": [64, 64]}
    run_here(bundle, tmp_path / "training", "train", dataset_dir=cells, **short, **SMALL)
    out = run_here(bundle, tmp_path / "out", weights=tmp_path / "training" / "model.pt", **SMALL)
    assert [row["status"] for row in read_table(out / "summary.csv")] == ["ok"]


def test_anchors_range_over_the_objects_but_are_no_finer_than_the_finest_level() -> None:
    sizes = np.ravel(anchor_sizes(np.linspace(10, 100, 1000)))
    assert list(sizes) == sorted(sizes)
    assert (sizes[0], sizes[-1]) == (
        14,
        95,
    )  # the 5th and the 95th percentile, 14.5 and 95.5
    small = np.ravel(anchor_sizes(np.full(9, 3.0)))
    assert small[0] == 8
    assert len(set(small)) == 6  # apart, though all objects are of one size


@pytest.mark.parametrize(("longer", "expected"), [(20, 256), (70, 320), (500, 512)])
def test_a_patch_has_room_for_four_large_objects_along_a_side(longer: float, expected: int) -> None:
    assert patch_size(np.full(9, longer)) == expected


def test_the_step_that_is_measured_learns_of_objects() -> None:
    """Else its time would be that of the background alone."""
    torch.manual_seed(0)
    network = instances_plan.network_of([8, 8, 8, 8], [[8, 11], [16, 20], [28, 32]])
    learner = MaskRCNNLearner(made(network | {"in_channels": 1, "out_channels": 1}))  # type: ignore[arg-type]
    terms = learner(torch.rand(instances_plan.BATCH, 1, 128, 128), squares(128))
    assert terms.keys() == {"regions", "classes", "boxes", "masks"}
    assert all(float(term) > 0 for term in terms.values())


def test_a_label_map_of_another_size_is_a_fault(
    cells: Path, new_bundle: RunCommand, capsys: pytest.CaptureFixture
) -> None:
    write_picture(cells / "labels" / "3.png", np.eye(20, dtype=np.uint16))
    with pytest.raises(InputError, match="got 1 faults"):
        new_bundle("squares", cells, "--task", "instances")
    assert "3.png: expected one id a pixel on the grid of its image" in capsys.readouterr().out
