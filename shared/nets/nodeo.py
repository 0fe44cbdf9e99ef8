"""The network of NODEO: from where the voxels are to how fast they move."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch.nn.functional as F
from monai.networks.layers.factories import Conv
from torch import Tensor, nn

from shared.layers.smoothing import Smoothing


class NodeoVelocity(nn.Module):
    """The velocity (B, D, *S) of voxels at `positions` (B, D, *S), both in voxels: the right-hand side of NODEO's ODE.

    size: *S, any. Strided convolutions lead to a bottleneck of `bottleneck` numbers, which two linear layers unfold
    into a field of one vector in `stride` voxels; that is interpolated and smoothed. The field may be smaller than
    `positions`, by `resolution`: it is solved for where it stands. Untrained, it is nearly 0.
    Source: Wu et al., NODEO, CVPR 2022, sec. 3.3 and its reference code. Differs: its linear layers have the size that
    the images need, and its bottleneck is leaky, since a dead one stops learning.
    """

    def __init__(
        self,
        spatial_dims: int,
        size: Sequence[int],
        *,
        filters: int = 32,
        levels: int = 5,
        bottleneck: int = 16,
        stride: int = 4,
        smoothing: nn.Module | None = None,
    ) -> None:
        super().__init__()
        convolution = Conv[Conv.CONV, spatial_dims]
        channels = [spatial_dims, *[filters] * levels]
        layers: list[nn.Module] = []
        for before, after in pairwise(channels):
            options = {"kernel_size": 3, "stride": 2, "padding": 1, "padding_mode": "replicate"}
            layers += [convolution(before, after, **options), nn.ReLU()]
        self.encoder = nn.Sequential(*layers[:-1])
        encoded = filters * math.prod(-(-s // 2**levels) for s in size)
        self.coarse = [-(-s // stride) for s in size]
        self.bottleneck = nn.Sequential(nn.Linear(encoded, bottleneck), nn.LeakyReLU(0.1))
        self.unfold = nn.Linear(bottleneck, spatial_dims * math.prod(self.coarse))
        self.smoothing = smoothing or Smoothing()
        self.extent = [float(s) for s in size]

    def forward(self, time: Tensor, positions: Tensor) -> Tensor:
        batch, dims, *size = positions.shape
        extent = positions.new_tensor(self.extent).reshape(1, -1, *[1] * dims)
        encoded = self.encoder(2 * positions / extent - 1)
        field = self.unfold(self.bottleneck(encoded.flatten(1))).reshape(batch, dims, *self.coarse)
        mode = {2: "bilinear", 3: "trilinear"}[dims]
        field = F.interpolate(field, size=size, mode=mode, align_corners=False)
        return self.smoothing(field) * extent / 2
