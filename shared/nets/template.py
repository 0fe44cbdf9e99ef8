"""A template that is learned with the network that registers images to it, as it is for given attributes."""

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from monai.networks.blocks import Convolution
from monai.networks.layers.factories import Conv
from torch import Tensor, nn

from shared.nets.unet import crop
from shared.nets.voxelmorph import VoxelMorph
from shared.spatial.warping import warp

LINEAR = {2: "bilinear", 3: "trilinear"}  # what torch calls it


class TemplateMorph(VoxelMorph):
    """A VoxelMorph with the template that it registers images to: (B, 2, *S), image and template, to (B, D, *S).

    size: *S, of the template, a learned image (1, 1, *S) from 0 to 1. attributes: numbers by which it varies, each
    with mean 0 and variance 1 over the images; 0, and there is one template for all. shape_filters, shape_levels: of
    the decoder of the attributes. affine: (4, 4), from voxels of the template to mm, RAS; zeros where it is a picture.
    Further arguments are those of VoxelMorph. Untrained, the template is 0 everywhere.
    Source: Dalca et al., Learning Conditional Deformable Templates, NeurIPS 2019, sec. 3. Differs: attributes move the
    template instead of painting it, so that it is as sharp for all of them, and its labels follow.
    """

    affine: Tensor

    def __init__(
        self,
        spatial_dims: int,
        size: Sequence[int],
        *,
        attributes: int = 0,
        shape_filters: int = 16,
        shape_levels: int = 3,
        **options: Any,
    ) -> None:
        super().__init__(spatial_dims, **options)
        self.template = nn.Parameter(torch.zeros(1, 1, *size))
        self.register_buffer("affine", torch.zeros(4, 4))
        half = [-(-s // 2) for s in size]
        self.shape = ShapeDecoder(attributes, half, filters=shape_filters, levels=shape_levels) if attributes else None

    def shape_velocity(self, codes: Tensor) -> Tensor:
        """The velocity (B, D, *S/2) that moves the template of attributes 0 to that of `codes` (B, K)."""
        if self.shape is None:
            raise ValueError("expected a network with attributes")
        return self.shape(codes) - self.shape(torch.zeros_like(codes))

    def template_of(self, codes: Tensor) -> Tensor:
        """The templates (B, 1, *S) of attributes `codes` (B, K), K as the network has them."""
        return self.moved_template(self.shape_velocity(codes) if self.shape else None, len(codes))

    def moved_template(self, velocity: Tensor | None, count: int) -> Tensor:
        """The template (B, 1, *S) moved by a `shape_velocity`; without one, `count` times as it is."""
        template = self.template.expand(count, -1, *[-1] * (self.template.ndim - 2))
        return template if velocity is None else warp(template, self.shape_displacement(velocity))

    def shape_displacement(self, velocity: Tensor) -> Tensor:
        """Where the template of attributes 0 is sampled for one of others, (B, D, *S), in voxels."""
        return self.displacement(velocity.float(), self.template.shape[2:])


class ShapeDecoder(nn.Module):
    """Attributes (B, K) to a smooth velocity (B, D, *size), in voxels: unfolded at 1 / 2^levels, then doubled in size.

    Untrained, it is 0.
    """

    def __init__(self, attributes: int, size: Sequence[int], *, filters: int, levels: int) -> None:
        super().__init__()
        dims = len(size)
        self.size = tuple(size)
        self.coarse = [-(-s // 2**levels) for s in size]
        self.unfold = nn.Linear(attributes, filters * math.prod(self.coarse))
        act = ("leakyrelu", {"negative_slope": 0.2})
        self.layers = nn.ModuleList(
            Convolution(dims, filters, filters, adn_ordering="A", act=act) for _ in range(levels)
        )
        self.head = Conv[Conv.CONV, dims](filters, dims, kernel_size=3, padding=1)
        for parameter in self.head.parameters():
            nn.init.zeros_(parameter)

    def forward(self, codes: Tensor) -> Tensor:
        x = self.unfold(codes).unflatten(1, (-1, *self.coarse))
        for layer in self.layers:
            x = layer(F.interpolate(x, scale_factor=2, mode=LINEAR[len(self.size)], align_corners=False))
        velocity: Tensor = self.head(x)
        return crop(velocity, self.size)
