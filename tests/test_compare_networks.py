"""The comparison of networks by score and time, on a folder of images and masks."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.benchmarks.machine import bfloat16_flags
from shared.errors import InputError
from shared.files import read_json, read_table
from tests.running import script


@pytest.fixture
def compare(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """The script, as far as it is in this process: each training and scoring is in its own."""
    module = script("compare_networks")

    def run(bundle: str, data: Path, out: Path, *options: str) -> None:
        arguments = [bundle, "--dataset_dir", str(data), "--output_dir", str(out), "--rounds", "3", *options]
        monkeypatch.setattr(sys, "argv", ["compare_networks.py", *arguments])
        module.main()

    return run


@pytest.mark.slow
def test_a_comparison_scores_the_validation_cases_and_does_not_train_again(
    compare: Callable[..., None], tmp_path: Path, phantom_dataset: Callable[..., Path]
) -> None:
    data, out = phantom_dataset(tmp_path / "data", count=4, shape=(40, 48), num_classes=2), tmp_path / "out"
    options = ["--networks", "U-Net 8", "--max_epochs", "1", "--patch_size", "[32,32]", "--crops_per_image", "1"]
    bundle = "membrane_em_segmentation"
    compare(bundle, data, out, *options, "--docs_dir", str(tmp_path / "docs"))
    assert (tmp_path / "docs" / "networks.md").read_text() == (out / "networks.md").read_text()
    (point,) = read_json(out / bundle / "compared.json")["points"]
    table = read_table(out / bundle / "U-Net_8" / "evaluation" / "metrics.csv")
    assert point["scores"] == {row["case"]: float(row["jaccard_mean"]) for row in table}
    assert len(table) == 1  # 15 % of four, at least one
    ways = ["1 thread", "norms not folded", *(["bfloat16"] if bfloat16_flags() else []), "2 threads"]
    assert list(point["ms"]) == ways
    assert point["step_ms"] > 0
    assert point["step_mib"] > 4 * 4 * point["parameters"] / 2**20  # weights, gradients and two moments, in float32
    weights = out / bundle / "U-Net_8" / "last.pt"
    before = weights.stat().st_mtime_ns
    compare(bundle, data, out, *options)
    assert weights.stat().st_mtime_ns == before


def test_a_misspelt_option_of_training_is_reported(
    compare: Callable[..., None], tmp_path: Path, phantom_dataset: Callable[..., Path]
) -> None:
    data = phantom_dataset(tmp_path / "data", count=4, shape=(40, 48), num_classes=2)
    with pytest.raises(InputError, match=r"did you mean --learning_rate\?"):
        compare("membrane_em_segmentation", data, tmp_path / "out", "--networks", "U-Net 8", "--learning_rat", "1")


@pytest.mark.parametrize(
    ("bundle", "options", "message"),
    [
        ("blood_cell_yolo_detection", ["U-Net 8"], "expected a bundle that segments"),
        ("membrane_em_segmentation", ["U-Net 9"], "expected MultiResUNet 16, .* got U-Net 9"),
        ("membrane_em_segmentation", ["U-Net 8", "--family"], r"expected unet, fcn, .* got U-Net 8"),
    ],
)
def test_an_unknown_bundle_or_network_is_reported(
    compare: Callable[..., None], tmp_path: Path, bundle: str, options: list[str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        compare(bundle, tmp_path, tmp_path / "out", "--networks", *options)
