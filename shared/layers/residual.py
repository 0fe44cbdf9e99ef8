"""A residual backbone whose every level is given, normalised so that a batch of one trains."""

from collections.abc import Sequence

from monai.networks.blocks import Convolution
from monai.networks.nets.resnet import ResNetBlock
from torch import Tensor, nn


class ResidualLevels(nn.Module):
    """(B, in_channels, *S) to the maps of each level: (B, filters[i], *S / 2^(i + 1)).

    repeats: residual blocks of each level. groups: of the group norms.
    Source: He et al., Deep Residual Learning, CVPR 2016; group norm: Wu and He, ECCV 2018. Of MONAI's ResNet the block
    alone: the whole gives its last map only, and its `norm` reaches no further than the stem (MONAI 1.6.1).
    """

    def __init__(
        self, spatial_dims: int, in_channels: int, *, filters: Sequence[int], repeats: Sequence[int], groups: int = 8
    ) -> None:
        super().__init__()
        if len(filters) != len(repeats):
            raise ValueError(f"expected a number of repeats for each of {len(filters)} filters, got {len(repeats)}")
        norm = ("group", {"num_groups": groups})
        self.filters = list(filters)
        self.stem = Convolution(
            spatial_dims, in_channels, filters[0], strides=2, kernel_size=5, bias=False, norm=norm, act="relu",
            adn_ordering="NA",
        )  # fmt: skip
        self.levels = nn.ModuleList()
        before = filters[0]
        for index, (width, count) in enumerate(zip(filters, repeats)):
            shrinks = index > 0
            down = Convolution(
                spatial_dims, before, width, strides=2, kernel_size=1, bias=False, norm=norm, act=None, adn_ordering="N"
            )
            first = ResNetBlock(
                before, width, spatial_dims, stride=2 if shrinks else 1, downsample=down if shrinks else None, norm=norm
            )
            others = [ResNetBlock(width, width, spatial_dims, norm=norm) for _ in range(count - 1)]
            self.levels.append(nn.Sequential(first, *others))
            before = width

    def forward(self, image: Tensor) -> list[Tensor]:
        maps = [self.stem(image)]
        for level in self.levels:
            maps.append(level(maps[-1]))
        return maps[1:]
