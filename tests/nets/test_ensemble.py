"""An ensemble's answer is the mean of its members' probabilities."""

from pathlib import Path
from typing import Any

import pytest
import torch

from shared.nets.ensemble import Ensemble, build_ensemble, ensemble_state, first_member
from shared.nets.standardised import build_network
from tests.running import assert_onnxruntime_agrees

NETWORK = "shared.nets.axis_unet.AxisUNet"


def arguments(dims: int) -> dict[str, Any]:
    return {
        "spatial_dims": dims, "in_channels": 1, "out_channels": 3, "filters": [4, 8, 8], "strides": [[2] * dims] * 2,
        "kernels": [[3] * dims] * 3,
    }  # fmt: skip


def ensemble(dims: int, count: int) -> Ensemble:
    """Of members with unlike weights."""
    states = [build_network(NETWORK, **arguments(dims)).state_dict() for _ in range(count)]
    built = build_ensemble(NETWORK, count=count, **arguments(dims))
    built.load_state_dict(ensemble_state(states))
    return built.eval()


@pytest.mark.parametrize("dims", [2, 3])
def test_its_probabilities_are_the_mean_of_its_members(dims: int) -> None:
    built = ensemble(dims, 3)
    image = torch.rand(2, 1, *[9, 10, 11][:dims])
    with torch.no_grad():
        each = torch.stack([network(image).softmax(dim=1) for network in built.networks])
        given = built(image)
    assert float((each[0] - each[1]).abs().max()) > 0.01  # they do not agree anyway
    torch.testing.assert_close(given.exp(), each.mean(dim=0), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(given.softmax(dim=1), given.exp(), rtol=1e-5, atol=1e-6)  # logits that are normalised


def test_the_first_member_of_its_state_is_the_network_alone_and_a_network_is_its_own() -> None:
    states = [build_network(NETWORK, **arguments(2)).state_dict() for _ in range(2)]
    first = first_member(ensemble_state(states))
    assert first.keys() == states[0].keys()
    assert all(torch.equal(first[name], value) for name, value in states[0].items())
    assert first_member(states[1]).keys() == states[1].keys()


def test_onnxruntime_gives_what_torch_gives(tmp_path: Path) -> None:
    # Of single convolutions: what is to be exported is the mean, and AxisUNet has a test of its own.
    built = build_ensemble("torch.nn.Conv2d", count=2, in_channels=1, out_channels=3, kernel_size=3).eval()
    assert_onnxruntime_agrees(built, (1, 16, 24), tmp_path, within=1e-5)
