"""MONAI's encoder-decoders behind the arguments of ours: (spatial_dims, in_channels, out_channels, filters).

Each segments images of any size, (B, in_channels, *S) to logits (B, out_channels, *S), 2D and 3D, from random weights.
filters: of each level, from the full resolution down. Where a network has a fixed number of levels the first ones
count, and the last of `filters` stands for those that are missing.
"""

from collections.abc import Sequence

from monai.networks.nets import AttentionUnet, BasicUNetPlusPlus, FlexibleUNet
from torch import Tensor, nn

from shared.nets.any_size import AnySize

LEVELS = 5  # of U-Net++ and of EfficientNet


class UNetPlusPlus(AnySize):
    """U-Net whose skips are U-Nets themselves, of LEVELS levels; its finest and deepest head alone.

    Source: Zhou et al., UNet++, DLMIA 2018, fig. 1, by MONAI. Differs: no deep supervision.
    """

    def __init__(self, spatial_dims: int, in_channels: int, out_channels: int, *, filters: Sequence[int]) -> None:
        widths = of_levels(filters)
        network = BasicUNetPlusPlus(spatial_dims, in_channels, out_channels, [*widths, widths[0]], norm="batch")
        for head in range(1, LEVELS - 1):
            setattr(network, f"final_conv_0_{head}", nn.Identity())  # what it gives is not used
        super().__init__(_Only(network), multiple=2 ** (LEVELS - 1))


class AttentionUNet(AnySize):
    """U-Net whose skips are weighted by what comes up from below.

    Source: Oktay et al., Attention U-Net, MIDL 2018, fig. 1 and 2, by MONAI, with its norms: of batches, and of
        instances where skips are merged.
    """

    def __init__(self, spatial_dims: int, in_channels: int, out_channels: int, *, filters: Sequence[int]) -> None:
        strides = [2] * (len(filters) - 1)
        network = AttentionUnet(spatial_dims, in_channels, out_channels, channels=filters, strides=strides)
        super().__init__(network, multiple=2 ** len(strides))


class EffUNet(AnySize):
    """U-Net whose encoder is EfficientNet-B0; `filters` are those of its decoder.

    Source: Baheti et al., Eff-UNet, CVPR Workshops 2020, fig. 2, by MONAI; encoder: Tan and Le, EfficientNet, ICML
        2019, table 1. Differs: SiLU of torch, which keeps less and exports; no classifier.
    """

    def __init__(self, spatial_dims: int, in_channels: int, out_channels: int, *, filters: Sequence[int]) -> None:
        network = FlexibleUNet(
            in_channels, out_channels, "efficientnet-b0", decoder_channels=tuple(reversed(of_levels(filters))),
            spatial_dims=spatial_dims, norm="batch", is_pad=False,
        )  # fmt: skip
        for module in network.encoder.modules():
            if hasattr(module, "_swish"):
                module._swish = nn.SiLU()
        for name in ("_conv_head", "_bn1", "_fc"):  # of the classifier
            setattr(network.encoder, name, nn.Identity())
        super().__init__(network, multiple=2**LEVELS)


class _Only(nn.Module):
    """What `network` gives, which is a list of one."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        (logits,) = self.network(x)
        return logits


def of_levels(filters: Sequence[int]) -> list[int]:
    """LEVELS numbers: the first of `filters`, and the last of them for what is missing."""
    return [*filters[:LEVELS], *[filters[-1]] * (LEVELS - len(filters))]
