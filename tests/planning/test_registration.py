"""A folder of images becomes a bundle that trains and registers."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.errors import InputError
from shared.files import read_table
from shared.planning.registration_plan import patch_size
from shared.zoo import probe
from tests.planning.conftest import RunCommand
from tests.running import run_here

SMALL: dict[str, Any] = {"network_def#filters": [4, 8]}


@pytest.mark.parametrize("shape", [(20, 24, 18), (48, 40)], ids=["3D", "2D"])
def test_a_planned_bundle_trains_and_registers(
    shape: tuple[int, ...], phantom_dataset: Callable[..., Path], new_bundle: RunCommand, tmp_path: Path
) -> None:
    data = phantom_dataset(tmp_path / "data", count=6, shape=shape)
    bundle = new_bundle("onto", data, "--task", "registration", "--budget", "30m")
    train = json.loads((bundle / "configs" / "train.json").read_text(encoding="utf-8"))
    assert train["network_def"]["spatial_dims"] == len(shape)
    assert train["affine"] == "none"  # all lie on one grid
    assert train["overlap"] == 1.0  # there are labels
    assert probe.network(bundle)  # takes and gives what metadata.json says, or raises
    short: dict[str, Any] = {"max_epochs": 1, "batch_size": 2, "pairs_per_epoch": 4, "validation_fraction": 0.34}
    run_here(bundle, tmp_path / "training", "train", dataset_dir=data, **short, **SMALL)
    folder, ending = ("imagesTr", "nii.gz") if len(shape) == 3 else ("images", "png")
    moving, fixed = (data / folder / f"case_{number}.{ending}" for number in (0, 1))
    out = run_here(
        bundle, tmp_path / "out", weights=tmp_path / "training" / "model.pt", moving=moving, fixed=fixed, **SMALL
    )
    assert [row["status"] for row in read_table(out / "summary.csv")] == ["ok"]


def test_a_patch_holds_nearly_all_images_and_divides_by_the_levels() -> None:
    extents = np.array([[40.0, 56, 33]] * 99 + [[300.0, 300, 300]])
    assert patch_size(extents, 1.0) == [48, 64, 48]
    assert patch_size(extents, 2.0) == [32, 32, 32]


def test_of_several_label_maps_one_is_chosen_by_its_ending(
    phantom_dataset: Callable[..., Path], new_bundle: RunCommand, tmp_path: Path
) -> None:
    """As OASIS lies: a folder a subject, with an image and its labels by two protocols."""
    data = phantom_dataset(tmp_path / "data", shape=(20, 24, 18))
    for image in sorted((data / "imagesTr").iterdir()):
        subject = tmp_path / "subjects" / image.name.split(".")[0]
        subject.mkdir(parents=True)
        image.rename(subject / "scan.nii.gz")
        for ending in ("seg2", "seg4"):
            shutil.copy(data / "labelsTr" / image.name, subject / f"scan_{ending}.nii.gz")
    with pytest.raises(InputError, match="got 1 faults"):
        new_bundle("onto", tmp_path / "subjects", "--task", "registration")
    bundle = new_bundle("onto", tmp_path / "subjects", "--task", "registration", "--label_suffix", "_seg4")
    for config in ("train", "evaluate"):
        content = json.loads((bundle / "configs" / f"{config}.json").read_text(encoding="utf-8"))
        assert content["label_suffix"] == "_seg4"
    with pytest.raises(InputError, match="--label_suffix: expected a registration, got segmentation"):
        new_bundle("parts", data, "--task", "segmentation", "--label_suffix", "_seg4")
