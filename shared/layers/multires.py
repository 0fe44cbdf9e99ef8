"""The MultiRes block and the ResPath of MultiResUNet, in any number of dimensions."""

import torch
from monai.networks.blocks import Convolution
from monai.networks.layers.utils import get_act_layer, get_norm_layer
from torch import Tensor, nn

# Ibtehaz and Rahman 2020, sec. 3.3: three successive convolutions with W/6, W/3 and W/2 filters.
# Written to three digits, as in the authors' code, because int() of the exact sixths counts differently.
SHARES = (0.167, 0.333, 0.5)


class MultiResBlock(nn.Module):
    """Three chained 3×3 convolutions whose outputs are concatenated, plus a 1×1 residual.

    Input (B, in_channels, *S), output (B, out_channels, *S) with out_channels = sum(int(share · alpha · filters)).
    The chain sees 3, 5 and 7 voxels, as parallel kernels of these sizes would, at a fraction of their cost.
    Source: Ibtehaz and Rahman, MultiResUNet, Neural Networks 121 (2020), sec. 3.3 and fig. 3d.
    """

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        *,
        filters: int,
        alpha: float = 1.67,
        norm: str | tuple = "batch",
        act: str | tuple = "relu",
    ) -> None:
        super().__init__()
        widths = [int(alpha * filters * share) for share in SHARES]
        self.out_channels = sum(widths)
        self.chain = nn.ModuleList(
            Convolution(spatial_dims, i, o, adn_ordering="NA", norm=norm, act=act, bias=False)
            for i, o in zip([in_channels, *widths], widths)
        )
        self.residual = Convolution(
            spatial_dims, in_channels, self.out_channels, kernel_size=1, adn_ordering="N", norm=norm, bias=False
        )
        self.norm_chain = get_norm_layer(norm, spatial_dims, self.out_channels)
        self.act = get_act_layer(act)
        self.norm_out = get_norm_layer(norm, spatial_dims, self.out_channels)

    def forward(self, x: Tensor) -> Tensor:
        features, last = [], x
        for conv in self.chain:
            last = conv(last)
            features.append(last)
        chain = self.norm_chain(torch.cat(features, dim=1))
        return self.norm_out(self.act(chain + self.residual(x)))


class ResPath(nn.Sequential):
    """`length` residual 3×3 convolutions that a skip connection passes through before it meets the decoder.

    Input (B, in_channels, *S), output (B, out_channels, *S) with out_channels = filters.
    Source: Ibtehaz and Rahman 2020, sec. 3.4 and fig. 4: lengths 4, 3, 2, 1 from the outermost skip inwards.
    """

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        *,
        filters: int,
        length: int,
        norm: str | tuple = "batch",
        act: str | tuple = "relu",
    ) -> None:
        inputs = [in_channels] + [filters] * (length - 1)
        super().__init__(*(ResidualConv(spatial_dims, i, filters=filters, norm=norm, act=act) for i in inputs))
        self.out_channels = filters


class ResidualConv(nn.Module):
    """One step of a ResPath: a 3×3 convolution beside a 1×1 one, added, activated, normalised."""

    def __init__(
        self, spatial_dims: int, in_channels: int, *, filters: int, norm: str | tuple, act: str | tuple
    ) -> None:
        super().__init__()
        self.conv = Convolution(spatial_dims, in_channels, filters, adn_ordering="NA", norm=norm, act=act, bias=False)
        self.residual = Convolution(
            spatial_dims, in_channels, filters, kernel_size=1, adn_ordering="N", norm=norm, bias=False
        )
        self.act = get_act_layer(act)
        self.norm = get_norm_layer(norm, spatial_dims, filters)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.act(self.conv(x) + self.residual(x)))
