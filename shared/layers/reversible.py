"""Blocks of which only the output is kept in training."""

import torch
from monai.networks.blocks import Convolution
from monai.networks.layers.factories import Conv
from monai.networks.layers.utils import get_act_layer, get_norm_layer
from torch import Tensor, nn

from shared.layers.undoing import ReversiblePair, is_cast, run_pairs, run_undone

PAIRS = 2  # in a block


class ReversibleSequence(nn.Module):
    """Pairs in a row over both halves of the channels: (B, channels, *S) to the same.

    Each half is normalised, activated and convolved to change the other. In training one map is kept, the output,
    however many `pairs` there are; `torch.compile` keeps all. Gradients are those of the same pairs with all of it
    kept, but for what rounding adds on the way back. Raises ValueError for an odd number of channels.
    """

    def __init__(
        self,
        spatial_dims: int,
        channels: int,
        *,
        pairs: int,
        norm: str | tuple = "batch",
        act: str | tuple = "relu",
    ) -> None:
        super().__init__()
        if channels % 2:
            raise ValueError(f"expected an even number of channels, which are halved, got {channels}")

        def function() -> nn.Module:
            return _function(spatial_dims, channels // 2, norm, act)

        self.pairs = nn.ModuleList(ReversiblePair(function(), function()) for _ in range(pairs))

    def forward(self, x: Tensor) -> Tensor:
        if torch.compiler.is_compiling() or torch.jit.is_tracing():
            return run_pairs(self.pairs, x)
        if is_cast(x.device.type):
            x = x.float()  # sums in bfloat16 could not be undone
        undone = self.training and torch.is_grad_enabled()
        return run_undone(self.pairs, x) if undone else run_pairs(self.pairs, x)


class ReversibleBlock(nn.Sequential):
    """A 3×3 convolution to as many channels as there are filters, and reversible pairs over them.

    (B, in_channels, *S) to (B, filters, *S); filters: an even number.
    Source: Brügger et al., A Partially Reversible U-Net, MICCAI 2019, sec. 2. Differs: batch norm by default.
    """

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        *,
        filters: int,
        norm: str | tuple = "batch",
        act: str | tuple = "relu",
    ) -> None:
        super().__init__(
            Convolution(spatial_dims, in_channels, filters, conv_only=True, bias=False),
            ReversibleSequence(spatial_dims, filters, pairs=PAIRS, norm=norm, act=act),
        )
        self.out_channels = filters


def _function(spatial_dims: int, channels: int, norm: str | tuple, act: str | tuple) -> nn.Sequential:
    """Norm, activation and a 3×3 convolution: (B, channels, *S) to the same."""
    convolution = Conv[Conv.CONV, spatial_dims](channels, channels, kernel_size=3, padding=1, bias=False)
    return nn.Sequential(get_norm_layer(norm, spatial_dims, channels), get_act_layer(act), convolution)
