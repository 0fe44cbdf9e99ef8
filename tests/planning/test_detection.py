"""A folder of annotated pictures becomes a bundle that trains and finds objects."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.errors import InputError
from shared.files import read_table
from shared.planning.detection_plan import input_size
from shared.zoo import probe
from tests.planning.conftest import RunCommand
from tests.running import run_here

BoxedMaker = Callable[..., Path]
SMALL: dict[str, Any] = {"network_def#filters": [8, 8, 16, 16, 16], "input_size": 64}


def test_a_planned_bundle_trains_and_finds(boxed_dataset: BoxedMaker, new_bundle: RunCommand, tmp_path: Path) -> None:
    data = boxed_dataset(tmp_path / "data", count=6, class_names=["bright", "dark"])
    bundle = new_bundle("squares", data, "--budget", "30m", "--copy_samples", "--licence", "CC0")
    train = json.loads((bundle / "configs" / "train.json").read_text(encoding="utf-8"))
    assert train["class_names"] == ["bright", "dark"]  # of which there are more, first
    assert train["channels"] == 3
    assert probe.network(bundle)  # takes and gives what metadata.json says, or raises
    short: dict[str, Any] = {"max_epochs": 1, "batch_size": 2, "warmup_epochs": 0.5}
    run_here(bundle, tmp_path / "training", "train", dataset_dir=data, **short, **SMALL)
    out = run_here(bundle, tmp_path / "out", weights=tmp_path / "training" / "model.pt", **SMALL)
    assert [row["status"] for row in read_table(out / "summary.csv")] == ["ok"]


@pytest.mark.parametrize(
    ("narrow", "side", "expected"),
    [
        (29, 640, 448),  # 29 pixels become 20.3
        (200, 640, 256),  # large objects: the least
        (4, 640, 640),  # small ones: as large as the picture
        (4, 3000, 640),  # and no larger than what a processor can do
        (10, 300, 320),  # a picture is not enlarged but to a multiple of 32
    ],
)
def test_the_input_is_as_large_as_small_objects_need(narrow: float, side: int, expected: int) -> None:
    assert input_size(narrow, side) == expected


def test_a_fault_of_an_annotation_is_reported_and_nothing_is_written(
    boxed_dataset: BoxedMaker, new_bundle: RunCommand, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    data = boxed_dataset(tmp_path / "data", count=6, class_names=["bright", "dark"])
    for number in (2, 4):
        (data / "JPEGImages" / f"im_{number}.png").write_bytes(b"not a picture")
    with pytest.raises(InputError, match="got 2 faults"):
        new_bundle("squares", data)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("bad data: ")]
    assert np.all([f"im_{number}.png" in line for number, line in zip((2, 4), lines)])
    assert not (tmp_path / "bundles").exists()
