"""The networks of `--network NAME`, each by its name, and weights of one trained so."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from shared.engine.fusing import fused
from shared.errors import InputError
from shared.family import FAMILY, network_called
from shared.files import read_json, read_table
from shared.nets.standardised import build_network
from tests.running import assert_onnxruntime_agrees, refused_here, run_here

FILTERS, CLASSES = [4, 4, 6, 8], 3
OF_MONAI = [name for name, target in FAMILY.items() if "of_monai" in target]
EXPORTED = ["fcn", "tiramisu", "rev-unet", *OF_MONAI]


def made(name: str, dims: int) -> nn.Module:
    return build_network(FAMILY[name], spatial_dims=dims, in_channels=2, out_channels=CLASSES, filters=FILTERS)


@pytest.mark.parametrize("dims", [2, pytest.param(3, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", FAMILY)
def test_each_takes_images_of_any_size_and_uses_all_of_its_parameters(name: str, dims: int) -> None:
    """A parameter without a gradient would stop a training on several GPUs."""
    torch.manual_seed(0)
    size = [33, 17, 18][:dims]
    network = made(name, dims)
    logits = network(torch.rand(2, 2, *size))
    assert logits.shape == (2, CLASSES, *size)
    logits.square().mean().backward()
    assert [key for key, parameter in network.named_parameters() if parameter.grad is None] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILY)
def test_fused_for_inference_it_gives_the_same(name: str) -> None:
    torch.manual_seed(0)
    network, image = made(name, 2), torch.rand(2, 2, 40, 36)
    network(image)  # so that norms have statistics of their own
    network.eval()
    with torch.no_grad():
        torch.testing.assert_close(fused(network)(image), network(image), rtol=1e-3, atol=1e-4)  # float32, some layers


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPORTED)
def test_onnxruntime_gives_what_torch_gives(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = made(name, 2).eval()
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d) and layer.out_channels == CLASSES and layer.bias is not None:
            nn.init.constant_(layer.bias, 2.0)  # else all is near 0
    assert_onnxruntime_agrees(network, (2, 37, 34), tmp_path, within=1e-4)


@pytest.mark.parametrize("name", ["unet++", "UNet++", "U-Net++", "u_net ++"])
def test_a_name_may_be_written_otherwise(name: str) -> None:
    own = {"_target_": "Other", "spatial_dims": 2, "filters": [1], "in_channels": "@channels", "block": "multires"}
    expected = {"_target_": FAMILY["unet++"], "spatial_dims": 2, "filters": [1], "in_channels": "@channels"}
    assert network_called(name, own) == expected


def test_an_unknown_name_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(InputError, match=r"^--network: expected one of unet, fcn, .*, got segnet; choose one"):
        network_called("segnet", {})


def test_weights_of_a_network_trained_by_name_are_opened_by_name(
    root: Path, tmp_path: Path, phantom_dataset: Callable[..., Path]
) -> None:
    data = phantom_dataset(tmp_path / "data", count=4, shape=(40, 48), num_classes=2)
    bundle, trained = root / "bundles" / "membrane_em_segmentation", tmp_path / "trained"
    named = {"network": "rev-unet", "dataset_dir": data, "network_def#filters": [4, 8]}
    run_here(
        bundle, trained, "train", **named, max_epochs=1, patch_size=[32, 32], crops_per_image=1, checkpointing=True
    )
    network = read_json(trained / "config.json")["network_def"]
    assert (network["_target_"], network["filters"]) == (FAMILY["rev-unet"], [4, 8])
    weights = trained / "model.pt"
    scored = run_here(bundle, tmp_path / "scored", "evaluate", **named, weights=weights, part="validation")
    assert len(read_table(scored / "metrics.csv")) == 1  # 15 % of four, at least one
    line = refused_here(bundle, tmp_path / "other", weights=weights, dataset_dir=data)
    assert "expected a state dict of this MultiResUNet" in line
    assert "give the --network" in line


@pytest.mark.parametrize("config", ["inference", "explain", "train"])
def test_an_unknown_name_ends_each_config_with_that_line(root: Path, tmp_path: Path, config: str) -> None:
    line = refused_here(root / "bundles" / "hippocampus_mr_segmentation", tmp_path, config, network="segnet")
    assert line.startswith("--network: expected one of unet, fcn, ")


def test_where_the_network_is_fixed_no_name_is_taken(root: Path, tmp_path: Path) -> None:
    line = refused_here(root / "bundles" / "blood_cell_yolo_detection", tmp_path, network="unet")
    assert line.startswith("--network: expected a value like ")
