"""Cross-stage blocks: part of the channels goes through residual blocks, the rest around them."""

import torch
from monai.networks.layers.factories import Conv, Norm, Pool
from torch import Tensor, nn


class ConvNormAct(nn.Sequential):
    """A convolution without bias, batch norm and SiLU: (B, in_channels, *S) to (B, out_channels, *S / stride)."""

    def __init__(
        self, spatial_dims: int, in_channels: int, out_channels: int, *, kernel_size: int = 3, stride: int = 1
    ) -> None:
        convolution = Conv[Conv.CONV, spatial_dims](
            in_channels, out_channels, kernel_size, stride=stride, padding=kernel_size // 2, bias=False
        )
        norm = Norm[Norm.BATCH, spatial_dims](out_channels, eps=1e-3, momentum=0.03)
        super().__init__(convolution, norm, nn.SiLU())  # in place, its backward would take six times as long on a CPU


class CrossStage(nn.Module):
    """(B, in_channels, *S) to (B, out_channels, *S): half of the channels through `repeats` pairs of convolutions.

    What leaves each pair is kept, and all of it mixed in the end. residual: each pair's input is added to its output.
    Source: Wang et al., CSPNet, CVPRW 2020; every pair kept, as in Wang et al., Designing Network Design Strategies
    Through Gradient Path Analysis (ELAN), 2022.
    """

    def __init__(
        self, spatial_dims: int, in_channels: int, out_channels: int, *, repeats: int = 1, residual: bool = True
    ) -> None:
        super().__init__()
        half = out_channels // 2
        self.residual = residual
        self.enter = ConvNormAct(spatial_dims, in_channels, 2 * half, kernel_size=1)
        self.pairs = nn.ModuleList(
            nn.Sequential(ConvNormAct(spatial_dims, half, half), ConvNormAct(spatial_dims, half, half))
            for _ in range(repeats)
        )
        self.leave = ConvNormAct(spatial_dims, (2 + repeats) * half, out_channels, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        kept = list(self.enter(x).chunk(2, dim=1))
        for pair in self.pairs:
            kept.append(kept[-1] + pair(kept[-1]) if self.residual else pair(kept[-1]))
        out: Tensor = self.leave(torch.cat(kept, dim=1))
        return out


class PyramidPooling(nn.Module):
    """Mix (B, channels, *S) with its maxima over windows of 5, 9 and 13.

    Source: He et al., Spatial Pyramid Pooling, TPAMI 2015. Differs: one window of 5, thrice in a row, is all three.
    """

    def __init__(self, spatial_dims: int, channels: int, *, window: int = 5) -> None:
        super().__init__()
        half = channels // 2
        self.enter = ConvNormAct(spatial_dims, channels, half, kernel_size=1)
        self.pool = Pool[Pool.MAX, spatial_dims](window, stride=1, padding=window // 2)
        self.leave = ConvNormAct(spatial_dims, 4 * half, channels, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        kept = [self.enter(x)]
        for _ in range(3):
            kept.append(self.pool(kept[-1]))
        out: Tensor = self.leave(torch.cat(kept, dim=1))
        return out
