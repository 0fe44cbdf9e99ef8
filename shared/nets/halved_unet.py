"""A U-Net that thinks at half the resolution of its image and answers at all of it: for volumes of many classes."""

from collections.abc import Sequence
from itertools import product
from typing import cast

import torch
import torch.nn.functional as F
from monai.networks.layers.factories import Conv
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from shared.layers.padding import pad_to_multiple
from shared.nets.unet import UNet, crop

REACH = 2  # voxels around one that the hidden units see of the image


class HalvedUNet(nn.Module):
    """Segment images of any size: (B, in_channels, *S) to logits (B, out_channels, *S), 2D and 3D.

    A strided convolution leads to `filters[0]` features at half the resolution, a U-Net of `filters` to as many more;
    each gives a cell of 2^D voxels, which `hidden` units, that see the image around each once more, and a residual
    layer of as many tell apart.
    """

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        out_channels: int,
        *,
        filters: Sequence[int] = (32, 64, 128, 256),
        hidden: int = 64,
        norm: str | tuple | None = "batch",
        act: str | tuple = "relu",
    ) -> None:
        super().__init__()
        conv, up = Conv[Conv.CONV, spatial_dims], Conv[Conv.CONVTRANS, spatial_dims]
        self.stride = 2 ** len(filters)
        self.stem = conv(in_channels, filters[0], kernel_size=4, stride=2, padding=1)
        self.trunk = UNet(spatial_dims, filters[0], filters[0], filters=filters, norm=norm, act=act)
        self.cells = up(filters[0], hidden, kernel_size=2, stride=2)
        self.local = conv(in_channels, hidden, kernel_size=2 * REACH + 1, padding=REACH)
        self.inner = conv(hidden, hidden, kernel_size=1)
        self.outer = conv(hidden, hidden, kernel_size=1)
        nn.init.zeros_(self.outer.weight)  # so that a network without the layer goes on as it was
        nn.init.zeros_(cast(Tensor, self.outer.bias))
        self.head = conv(hidden, out_channels, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        padded = pad_to_multiple(x, self.stride)
        features = self._features(padded)
        if self.training or torch.compiler.is_compiling() or torch.jit.is_tracing():
            logits = self._answer(self.cells(features) + self.local(padded))
        else:  # `hidden` units of a part of the voxels at a time: two fifths of the memory for a head
            logits = features.new_empty([len(x), self.head.out_channels, *padded.shape[2:]])
            for corner in product((0, 1), repeat=x.ndim - 2):
                every_other(logits, corner).copy_(self._part(features, padded, corner))
        return crop(logits, x.shape[2:])

    def _part(self, features: Tensor, x: Tensor, corner: Sequence[int]) -> Tensor:
        """What `_answer_at` gives; for a gradient its hidden units are worked out once more rather than kept."""
        if not torch.is_grad_enabled():
            return self._answer_at(features, x, corner)
        part: Tensor = checkpoint(self._answer_at, features, x, corner, use_reentrant=False)
        return part

    def at(self, x: Tensor, corner: Sequence[int]) -> Tensor:
        """The logits of every other voxel, `every_other(forward(x), corner)`, at an eighth of the head's cost in 3D.

        Raises ValueError where a size of `x` does not divide by `stride`.
        """
        if any(s % self.stride for s in x.shape[2:]):
            raise ValueError(f"expected sizes that divide by {self.stride}, got {tuple(x.shape[2:])}")
        return self._answer_at(self._features(x), x, corner)

    def _answer_at(self, features: Tensor, x: Tensor, corner: Sequence[int]) -> Tensor:
        conv = F.conv3d if x.ndim == 5 else F.conv2d
        weight = every_other(self.cells.weight, corner).transpose(0, 1)
        cells = conv(features, weight, self.cells.bias)
        shifted = F.pad(x, [side for c in reversed(corner) for side in (REACH - c, REACH - 1 + c)])
        local = conv(shifted, self.local.weight, self.local.bias, stride=2)
        return self._answer(cells + local)

    def _answer(self, hidden: Tensor) -> Tensor:
        """The logits of (B, hidden, *S)."""
        x = F.relu(hidden)
        logits: Tensor = self.head(x + self.outer(F.relu(self.inner(x))))
        return logits

    def _features(self, x: Tensor) -> Tensor:
        return F.relu(self.trunk(F.relu(self.stem(x))))


def every_other(x: Tensor, corner: Sequence[int]) -> Tensor:
    """Every other voxel along each axis of (B, C, *S), from the one at `corner`, of 0 and 1, on."""
    index: tuple = (..., *(slice(c, None, 2) for c in corner))
    return x[index]
