"""A network that standardises its input is the network behind MONAI's NormalizeIntensity."""

from typing import Any

import pytest
import torch
from monai.transforms import NormalizeIntensity

from shared.nets.multiresunet import MultiResUNet
from shared.nets.standardised import build_network, standardise

TARGET = "shared.nets.multiresunet.MultiResUNet"
ARGUMENTS: dict[str, Any] = {"spatial_dims": 2, "in_channels": 2, "out_channels": 3, "filters": [8, 16]}


@pytest.mark.parametrize("sides", [(9, 7), (5, 6, 4)])
def test_each_channel_of_each_image_is_standardised_as_by_monai(sides: tuple[int, ...]) -> None:
    images = torch.rand(2, 3, *sides) * torch.tensor([0.1, 1.0, 0.5]).reshape(1, 3, *[1] * len(sides))
    expected = torch.stack([torch.as_tensor(NormalizeIntensity(channel_wise=True)(image)) for image in images])
    torch.testing.assert_close(standardise(images), expected, rtol=1e-5, atol=1e-5)  # float32, sums in another order


def test_a_constant_channel_is_zero() -> None:
    assert standardise(torch.full((1, 1, 33, 31), 0.7)).abs().max() < 1e-6  # the mean of 0.7 is rounded


def test_a_built_network_has_the_names_of_the_plain_one_and_sees_its_input_standardised() -> None:
    plain = MultiResUNet(**ARGUMENTS).eval()
    built = build_network(TARGET, standardised=True, **ARGUMENTS).eval()
    built.load_state_dict(plain.state_dict())
    image = 0.2 + 0.1 * torch.rand(1, 2, 16, 16)
    with torch.no_grad():
        assert torch.equal(built(image), plain(standardise(image)))
        assert not torch.equal(built(image), plain(image))


def test_without_being_asked_for_nothing_is_standardised() -> None:
    network = build_network(TARGET, **ARGUMENTS)
    assert type(network) is MultiResUNet
    assert not network._forward_pre_hooks
