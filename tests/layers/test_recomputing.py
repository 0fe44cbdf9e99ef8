"""What is computed again on the way back changes nothing but the memory that a step takes."""

from copy import deepcopy
from functools import partial

import pytest
import torch
from monai.networks.blocks.dynunet_block import UnetBasicBlock, UnetResBlock
from torch import Tensor, nn

from shared.layers.multires import MultiResBlock, ResidualConv
from shared.layers.recomputing import blocks, recomputed
from shared.nets.axis_unet import ResEnc
from shared.nets.multiresunet import MultiResUNet
from shared.nets.unet import UNet
from tests.running import kept_bytes


def stepped(network: nn.Module, image: Tensor) -> list[Tensor]:
    """What a step shows: logits, gradients, and running statistics after it."""
    logits = network(image)
    logits.square().mean().backward()
    gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    assert len(gradients) == len(list(network.parameters()))
    return [logits, *gradients, *network.buffers()]


@pytest.mark.parametrize("dims", [2, 3])
def test_logits_gradients_and_statistics_are_what_they_were(dims: int) -> None:
    torch.manual_seed(0)
    network, image = MultiResUNet(dims, 1, 2, filters=(4, 4, 8)), torch.randn(2, 1, *[16] * dims)
    before, after = stepped(deepcopy(network), image), stepped(recomputed(deepcopy(network)), image)
    torch.testing.assert_close(after, before, rtol=0, atol=0)  # by the same operations


def test_a_block_is_what_has_two_convolutions_and_nothing_smaller_that_has() -> None:
    found = list(blocks(MultiResUNet(2, 1, 2, filters=(4, 4, 8))))
    assert {type(block) for block in found} == {MultiResBlock, ResidualConv}
    assert len(found) == 5 + 3  # blocks of two levels, there and back, and the bottom; steps of the paths: 2 and 1


def test_a_u_net_keeps_less_than_half() -> None:
    """Of a plain block, what goes into its second convolution and both norms; skips and what is pooled stay."""
    network, image = UNet(2, 1, 2, filters=(8, 16, 32)), torch.rand(1, 1, 64, 64)
    kept, less = (kept_bytes(partial(one, image)) for one in (network, recomputed(deepcopy(network))))
    assert less < 0.5 * kept


def test_a_block_in_two_places_is_recomputed_once() -> None:
    """MONAI's DynUNet has each of its blocks twice, by itself and in the skips around it."""
    network = recomputed(ResEnc(2, 1, 2, filters=(4, 4, 8)))
    assert {type(block).__bases__ for block in blocks(network)} == {(UnetResBlock,), (UnetBasicBlock,)}


def test_a_copy_is_a_network_of_its_own() -> None:
    network = recomputed(UNet(2, 1, 2, filters=(4, 8)))
    copied = deepcopy(network)
    for parameter in network.parameters():
        nn.init.zeros_(parameter)
    stepped(copied, torch.randn(1, 1, 16, 16))
    assert all(parameter.grad is None for parameter in network.parameters())
