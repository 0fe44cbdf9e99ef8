"""The copy that inference runs gives what the network gives, which stays as it was."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from shared.engine.cases import CaseEvaluator, WeightsLoader
from shared.engine.fusing import FusedNetwork, fused
from shared.layers.fused import FusedConvolution
from shared.nets.mask_rcnn import build_mask_rcnn
from shared.nets.multiresunet import MultiResUNet
from shared.nets.unet import UNet
from shared.nets.voxelmorph import CoarseGuide, VoxelMorph
from shared.nets.yolo import Yolo
from tests.layers.test_fused import trained

NETWORKS = {
    "multiresunet 2D": (MultiResUNet(2, 1, 2, filters=[6, 12, 18]), (1, 37, 50)),
    "multiresunet 3D": (MultiResUNet(3, 1, 2, filters=[6, 12, 18]), (1, 13, 14, 15)),
    "unet 3D": (UNet(3, 1, 2, filters=[4, 8], deep_supervision=0), (1, 13, 14, 15)),
    "yolo": (Yolo(2, 3, 2, filters=[8, 8, 16, 16, 16]), (3, 64, 96)),
    "voxelmorph": (
        VoxelMorph(3, filters=[4, 8], guide=CoarseGuide(3, 2, filters=[4, 8])),
        (2, 16, 16, 16),
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
@torch.no_grad()
def test_a_fused_copy_gives_the_same_but_for_rounding(name: str) -> None:
    network, shape = NETWORKS[name]
    before = copy.deepcopy(trained(network).state_dict())
    ours, x = fused(network), torch.randn(1, *shape)
    assert type(ours) is type(network)
    assert any(isinstance(module, FusedConvolution) for module in ours.modules())
    assert_alike(ours(x), network(x))
    after = network.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[key], before[key]) for key in before)


def assert_alike(got: Any, expected: Any) -> None:
    # Some ten layers in a row, each with a rounding of 2^-24 of values whose largest sets the scale.
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5 * max(1.0, float(expected.abs().max())))


@torch.no_grad()
def test_instances_are_the_same() -> None:
    torch.manual_seed(0)
    network = build_mask_rcnn(2, 1, 1, filters=[8, 8], repeats=[1, 1], channels=8, anchor_sizes=[[8, 14]]).eval()
    x = torch.rand(1, 1, 64, 64)
    got, expected = fused(network)(x), network(x)
    assert_alike(got.scores, expected.scores)
    assert_alike(got.boxes, expected.boxes)


class Elsewhere(nn.Module):
    """A network that runs in another runtime, of which there is no copy."""

    def __deepcopy__(self, memo: object) -> None:
        raise TypeError("a session cannot be copied")


def test_a_network_without_convolutions_is_left_alone() -> None:
    elsewhere = Elsewhere()
    assert fused(elsewhere) is elsewhere


def test_a_network_on_another_device_is_left_alone() -> None:
    network = nn.Conv2d(1, 1, 1, device="meta")
    assert fused(network) is network


def test_the_copy_follows_weights_that_are_loaded_and_is_else_kept() -> None:
    network = nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU())
    follower = FusedNetwork(network)
    follower.update()
    first = follower.copy
    follower.update()
    assert follower.copy is first
    network.load_state_dict({"0.weight": torch.full((1, 1, 1, 1), 3.0), "0.bias": torch.zeros(1)})
    follower.update()
    assert follower.copy(torch.ones(1, 1, 1, 1)).item() == 3


def test_a_run_uses_the_copy_with_the_weights_of_the_file_and_leaves_the_network(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU())
    weights = {"0.weight": torch.full((1, 1, 1, 1), 2.0), "0.bias": torch.ones(1)}
    torch.save(weights, tmp_path / "model.pt")
    used: list[nn.Module] = []

    def infer(image: torch.Tensor, module: nn.Module) -> torch.Tensor:
        used.append(module)
        return module(image)

    evaluator = CaseEvaluator(
        device=torch.device("cpu"), val_data_loader=[{"image": torch.ones(1, 1, 2, 2)}], network=network,
        inferer=infer, val_handlers=[WeightsLoader(network, tmp_path / "model.pt")], decollate=False,
    )  # fmt: skip
    evaluator.run()
    assert torch.equal(evaluator.state.output["pred"], torch.full((1, 1, 2, 2), 3.0))
    assert isinstance(used[0].get_submodule("0"), FusedConvolution)
    assert evaluator.network is network
    assert {key: value.tolist() for key, value in network.state_dict().items()} == {
        key: value.tolist() for key, value in weights.items()
    }
