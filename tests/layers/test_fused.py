"""A fused convolution gives what the convolution, its norm and its activation give one after the other."""

import copy
from typing import Any

import pytest
import torch
from monai.networks.blocks import Convolution
from torch import Tensor, nn

from shared.layers.csp import ConvNormAct
from shared.layers.fused import FusedConvolution, can_take, fuse_sequences
from shared.layers.fused_multires import FusedMultiResBlock, FusedResidualConv, fuse_multires
from shared.layers.multires import MultiResBlock, ResPath
from shared.layers.onednn import Network


def trained(network: Network, seed: int = 0) -> Network:
    """`network` in evaluation with norms that do something: no mean of 0, variance of 1, scale of 1 or shift of 0."""
    torch.manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
            for tensor in (module.weight, module.running_var):
                nn.init.uniform_(tensor, 0.5, 1.5)  # type: ignore[arg-type]
            for tensor in (module.bias, module.running_mean):
                nn.init.normal_(tensor, std=0.5)  # type: ignore[arg-type]
    return network.eval()


def assert_close(got: Tensor, expected: Tensor) -> None:
    # Products of scales, and sums of hundreds of terms near 1 in another order: some 2^-24 of each.
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("act", [None, nn.ReLU(), nn.LeakyReLU(0.2), nn.SiLU()])
@pytest.mark.parametrize("options", [{"padding": 1}, {"stride": 2, "bias": False}, {"groups": 2, "dilation": 2}])
@torch.no_grad()
def test_norm_and_activation_are_taken_in(dims: int, act: nn.Module | None, options: dict[str, Any]) -> None:
    conv = (nn.Conv2d, nn.Conv3d)[dims - 2](4, 6, 3, **options)
    norm = (nn.BatchNorm2d, nn.BatchNorm3d)[dims - 2](6)
    trained(nn.Sequential(conv, norm))
    x = torch.randn(1, 4, *(7, 8, 9)[:dims])
    other = torch.randn_like(conv(x))
    fused, after = FusedConvolution(conv, norm=norm, act=act), act or nn.Identity()
    assert_close(fused(x), after(norm(conv(x))))
    assert_close(fused(x, other), after(norm(conv(x)) + other))


@torch.no_grad()
def test_a_norm_that_does_not_learn_is_taken_in_too() -> None:
    conv, norm = nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3, affine=False)
    nn.init.uniform_(norm.running_var, 0.5, 1.5)  # type: ignore[arg-type]
    x = torch.randn(1, 2, 6, 6)
    assert_close(FusedConvolution(conv, norm=norm)(x), norm.eval()(conv(x)))


@pytest.mark.skipif(not torch.ops.mkldnn._is_mkldnn_bf16_supported(), reason="oneDNN has no bfloat16 on this processor")
@torch.no_grad()
def test_under_autocast_it_computes_in_bfloat16() -> None:
    conv = nn.Conv3d(4, 6, 3)
    x, other = torch.randn(1, 4, 6, 6, 6), torch.randn(1, 6, 4, 4, 4)
    fused = FusedConvolution(conv, act=nn.ReLU())
    with torch.autocast("cpu", torch.bfloat16):
        alone, added = fused(x), fused(x, other.bfloat16())
    assert alone.dtype is added.dtype is torch.bfloat16
    # Inputs, weights and results are rounded to 8 bits, the sums of 108 products are not.
    torch.testing.assert_close(alone.float(), conv(x).relu(), rtol=2**-7, atol=0.02)
    torch.testing.assert_close(added.float(), (conv(x) + other).relu(), rtol=2**-6, atol=0.04)


def test_gradients_of_the_input_are_those_in_steps() -> None:
    conv = nn.Conv2d(2, 3, 3)
    x = torch.randn(1, 2, 6, 6, requires_grad=True)
    gradients = [torch.autograd.grad(f(x).square().sum(), x)[0] for f in (FusedConvolution(conv), conv)]
    assert_close(*gradients)


@torch.no_grad()
def test_it_computes_in_steps_where_onednn_is_switched_off() -> None:
    conv, x = nn.Conv2d(2, 3, 3), torch.randn(1, 2, 6, 6)
    with torch.backends.mkldnn.flags(enabled=False):
        assert_close(FusedConvolution(conv, act=nn.ReLU())(x), conv(x).relu())


def test_what_does_not_fold_is_not_taken() -> None:
    conv = nn.Conv2d(2, 4, 3)
    assert can_take(conv, norm=nn.BatchNorm2d(4), act=nn.ReLU())
    assert not can_take(nn.Conv2d(2, 4, 3, padding="same"))
    assert not can_take(nn.Conv2d(2, 4, 3, padding_mode="reflect"))
    assert not can_take(nn.ConvTranspose2d(2, 4, 3))
    for norm in (nn.InstanceNorm2d(4), nn.GroupNorm(2, 4), nn.BatchNorm2d(4, track_running_stats=False)):
        assert not can_take(conv, norm=norm)
    assert not can_take(conv, act=nn.GELU())


@pytest.mark.parametrize(
    "network",
    [
        ConvNormAct(2, 3, 4), Convolution(3, 3, 4, adn_ordering="NA", norm="batch", act="relu", bias=False),
        Convolution(3, 3, 4, adn_ordering="A", act=("leakyrelu", {"negative_slope": 0.2})),
        nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(inplace=True), nn.ConvTranspose2d(4, 4, 2), nn.Conv2d(4, 2, 3)),
        nn.Sequential(ConvNormAct(2, 3, 4), nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(4, 2, 1)), nn.BatchNorm2d(2)),
    ],
)  # fmt: skip
@torch.no_grad()
def test_sequences_are_fused_wherever_they_lie(network: nn.Sequential) -> None:
    dims = 3 if any(isinstance(m, nn.Conv3d) for m in network.modules()) else 2
    x, ours = torch.randn(1, 3, *[10] * dims), copy.deepcopy(trained(network))
    fuse_sequences(ours)
    assert_close(ours(x), network(x))
    left = [
        type(m) for m in ours.modules() if "Norm" in type(m).__name__ or type(m) in (nn.ReLU, nn.SiLU, nn.LeakyReLU)
    ]
    assert left == [ConvNormAct] * ("ConvNormAct" in str(network))  # its name is all that is left of its norm


@torch.no_grad()
def test_a_norm_that_something_else_stands_before_stays() -> None:
    network = trained(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3, padding=1)))
    ours, x = copy.deepcopy(network), torch.randn(1, 3, 9, 9)
    fuse_sequences(ours)
    assert [type(m) for m in ours] == [FusedConvolution, nn.Identity, nn.BatchNorm2d, nn.Conv2d]
    assert_close(ours(x), network(x))


def multires(dims: int, **options: Any) -> nn.Sequential:
    block = MultiResBlock(dims, 2, filters=8, **options)
    return nn.Sequential(block, ResPath(dims, block.out_channels, filters=4, length=2, **options))


@pytest.mark.parametrize("dims", [2, 3])
@torch.no_grad()
def test_blocks_of_multiresunet_are_fused_whole(dims: int) -> None:
    network = trained(multires(dims))
    ours, x = copy.deepcopy(network), torch.randn(1, 2, *[9] * dims)
    fuse_multires(ours)
    assert type(ours[0]) is FusedMultiResBlock
    assert [type(step) for step in ours[1].children()] == [FusedResidualConv] * 2
    assert sum("BatchNorm" in type(m).__name__ for m in ours.modules()) == 3  # behind each block's and step's ReLU
    assert_close(ours(x), network(x))


@torch.no_grad()
def test_a_block_whose_norm_turns_a_sign_is_fused_in_its_sequences_alone() -> None:
    network = trained(multires(2))
    network.get_parameter("0.norm_chain.weight")[3] = -1  # of a ReLU times -1 no weight before it makes a ReLU
    ours, x = copy.deepcopy(network), torch.randn(1, 2, 9, 9)
    fuse_multires(ours)
    fuse_sequences(ours)
    assert type(ours[0]) is MultiResBlock
    assert_close(ours(x), network(x))


@torch.no_grad()
def test_blocks_with_other_norms_stay() -> None:
    network = trained(multires(2, norm="instance"))
    ours, x = copy.deepcopy(network), torch.randn(1, 2, 9, 9)
    fuse_multires(ours)
    assert type(ours[0]) is MultiResBlock
    assert torch.equal(ours(x), network(x))
