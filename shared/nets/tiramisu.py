"""Tiramisu: a U-Net of dense blocks, in which each convolution sees what all before it in its block gave."""

from collections.abc import Sequence

import torch
from monai.networks.layers.factories import Conv, Norm, Pool
from torch import Tensor, nn

from shared.layers.onednn import convolve_by_onednn
from shared.layers.padding import pad_to_multiple
from shared.nets.unet import crop

LAYERS = 4  # of each block


class DenseBlock(nn.Module):
    """LAYERS convolutions, each of the input and all maps before it: (B, in_channels, *S) to (B, out_channels, *S).

    out_channels, at least `filters`: of the new maps alone, without the input; as many a layer.
    Source: Jégou et al. 2017, fig. 2. Of MONAI's DenseNet there is no such block: its layers have a bottleneck each.
    """

    def __init__(self, spatial_dims: int, in_channels: int, *, filters: int) -> None:
        super().__init__()
        growth = -(-filters // LAYERS)
        self.out_channels = growth * LAYERS
        self.layers = nn.ModuleList(
            _normed(spatial_dims, in_channels + growth * layer, growth, kernel_size=3) for layer in range(LAYERS)
        )

    def forward(self, x: Tensor) -> Tensor:
        maps = [x]
        for layer in self.layers:
            maps.append(layer(torch.cat(maps, dim=1)))
        return torch.cat(maps[1:], dim=1)


class Tiramisu(nn.Module):
    """Segment images of any size: (B, in_channels, *S) to logits (B, out_channels, *S), 2D and 3D.

    filters: the new maps of each level's blocks, from the full resolution down; each level halves the size of the one
    above.
    Source: Jégou et al., The One Hundred Layers Tiramisu, CVPR Workshops 2017, fig. 1 and table 1. Differs: as many
        layers in each block, whose growth doubles with the level as U-Net's filters do; no dropout; sizes that do not
        divide are padded by their border and cropped back.
    """

    def __init__(self, spatial_dims: int, in_channels: int, out_channels: int, *, filters: Sequence[int]) -> None:
        super().__init__()
        conv, up = Conv[Conv.CONV, spatial_dims], Conv[Conv.CONVTRANS, spatial_dims]
        channels, skipped = filters[0], []
        self.stem = conv(in_channels, channels, kernel_size=3, padding=1)
        self.encoder, self.downs = nn.ModuleList(), nn.ModuleList()
        for width in filters[:-1]:
            block = DenseBlock(spatial_dims, channels, filters=width)
            channels += block.out_channels
            skipped.append(channels)
            self.encoder.append(block)
            self.downs.append(_normed(spatial_dims, channels, channels, kernel_size=1))
        self.pool = Pool[Pool.MAX, spatial_dims](2)
        self.bottom = DenseBlock(spatial_dims, channels, filters=filters[-1])
        channels = self.bottom.out_channels
        self.ups, self.decoder = nn.ModuleList(), nn.ModuleList()
        for width in reversed(filters[:-1]):
            block = DenseBlock(spatial_dims, channels + skipped.pop(), filters=width)
            self.ups.append(up(channels, channels, kernel_size=2, stride=2))
            self.decoder.append(block)
            channels = block.out_channels
        self.head = conv(channels, out_channels, kernel_size=1)
        convolve_by_onednn(self)

    def forward(self, image: Tensor) -> Tensor:
        x = self.stem(pad_to_multiple(image, 2 ** len(self.encoder)))
        skipped = []
        for block, down in zip(self.encoder, self.downs):
            x = torch.cat([x, block(x)], dim=1)
            skipped.append(x)
            x = self.pool(down(x))
        x = self.bottom(x)
        for up, block in zip(self.ups, self.decoder):
            x = block(torch.cat([up(x), skipped.pop()], dim=1))
        return crop(self.head(x), image.shape[2:])


def _normed(spatial_dims: int, in_channels: int, out_channels: int, *, kernel_size: int) -> nn.Sequential:
    """Batch norm, ReLU and a convolution: (B, in_channels, *S) to (B, out_channels, *S)."""
    return nn.Sequential(
        Norm[Norm.BATCH, spatial_dims](in_channels),
        nn.ReLU(),
        Conv[Conv.CONV, spatial_dims](
            in_channels, out_channels, kernel_size=kernel_size, padding=kernel_size // 2, bias=False
        ),
    )
