"""VoxelMorph: a U-Net that takes two images and gives how to move one onto the other."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from monai.networks.blocks import Convolution
from monai.networks.layers.factories import Pool
from torch import Tensor, nn

from shared.errors import InputError
from shared.layers.modulation import modulate
from shared.layers.onednn import convolve_by_onednn
from shared.layers.padding import pad_to_multiple
from shared.nets.multiresunet import MultiResUNet
from shared.nets.standardised import standardise
from shared.nets.unet import UNet
from shared.spatial.demons import demons_force
from shared.spatial.warping import integrate, resize_displacement, warp


class CoarseGuide(nn.Sequential):
    """Segment images (B, 1, *S) to logits (B, out_channels, *S/2): two convolutions, then a U-Net of `filters`."""

    def __init__(
        self,
        spatial_dims: int,
        out_channels: int,
        *,
        filters: Sequence[int],
        norm: str | tuple | None = "batch",
        act: str | tuple = "relu",
    ) -> None:
        super().__init__(
            Convolution(spatial_dims, 1, filters[0] // 2, adn_ordering="A", act=act),
            Convolution(spatial_dims, filters[0] // 2, filters[0], strides=2, adn_ordering="A", act=act),
            UNet(spatial_dims, filters[0], out_channels, filters=filters, norm=norm, act=act),
        )
        self.out_channels = out_channels
        self.stride = 2 ** len(filters)  # of the deepest level


class FineGuide(MultiResUNet):
    """Segment images (B, 1, *S) to logits (B, out_channels, *S), whatever their scale: they are standardised first."""

    def __init__(self, spatial_dims: int, out_channels: int, *, filters: Sequence[int]) -> None:
        super().__init__(spatial_dims, 1, out_channels, filters=filters)
        self.out_channels = out_channels

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, super().forward(standardise(x)))


class VoxelMorph(nn.Module):
    """Register pairs of any size: (B, 2, *S), moving and fixed, to the displacement (B, D, *S) in voxels, 2D and 3D.

    The displacement says where the moving image is sampled for each voxel of the fixed one: `warp(moving, it)`.
    filters: of each level of the U-Net, from the velocity's resolution down.
    half_resolution: the velocity has half the images' resolution; much faster, and smoother.
    steps: squarings of the integration, which make the displacement invertible; with 0 the U-Net's output is it.
    guide: a network that segments an image (B, 1, *S) to logits (B, out_channels, *S), or of half the size, and whose
    probabilities the U-Net sees besides the images. forces: whether it also sees how the guide's maps of one image draw
    on those of the other (see `demons_force`). passes: how often the U-Net sees the pair, each time but the first as it
    is registered so far, to add to the velocity. symmetric: where it is not trained, the U-Net sees the pair both ways
    round, and the velocity is the mean of one and minus the other: to swap the images is to invert the displacement.
    regularity: from 0, the most alike, to 1, the smoothest, for a network that was trained for all of them; it may be
    set at any time. None, and the network has one regularity, that of its training.
    Untrained, it is the identity. Raises ValueError where there is not one output a dimension, InputError for another
    regularity, and, when it is called, for images that are too small for its levels.
    Source: Balakrishnan et al., IEEE TMI 38 (2019); integration as in Dalca et al., Medical Image Analysis 57 (2019);
    passes as in Zhao et al., ICCV 2019; regularity as in Hoopes et al., MELBA 2022.
    Differs: two convolutions a level with instance norm; the first one reduces where the velocity is at half; a guide;
    all passes have the same weights; the regularity scales and shifts features, where Hoopes et al. make all weights.
    """

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int = 2,
        out_channels: int | None = None,
        *,
        filters: Sequence[int] = (32, 48, 64, 96),
        half_resolution: bool = True,
        steps: int = 7,
        norm: str | tuple | None = "instance",
        act: str | tuple = ("leakyrelu", {"negative_slope": 0.2}),
        guide: CoarseGuide | FineGuide | None = None,
        forces: bool = False,
        passes: int = 1,
        symmetric: bool = False,
        regularity: float | None = None,
    ) -> None:
        super().__init__()
        if out_channels not in (None, spatial_dims):
            raise ValueError(f"expected {spatial_dims} output channels, one a dimension, got {out_channels}")
        if guide is not None and not half_resolution:
            raise ValueError("expected half_resolution, at which the guide segments")
        if regularity is not None and not 0 <= regularity <= 1:
            raise InputError("--regularity", expected="a number from 0 to 1", got=regularity, fix="choose one of these")
        self.steps = steps
        self.passes = passes
        self.forces = forces
        self.symmetric = symmetric
        self.regularity = regularity
        self.normalises_images = norm is not None and "instance" in norm
        own_stride = 2 ** (len(filters) - 1) * (2 if half_resolution else 1)  # of the deepest level
        self.stride = max(own_stride, 1 if guide is None else guide.stride)
        self.warp: Callable[..., Tensor] | None = None  # what the integration samples by instead of `sample`
        options: dict[str, Any] = {"norm": norm, "act": act}
        self.guide = guide
        seen = filters[0] + (0 if guide is None else 2 * guide.out_channels + forces * spatial_dims)
        self.reduce = Convolution(
            spatial_dims, in_channels, filters[0], strides=2 if half_resolution else 1, adn_ordering="A", act=act
        )
        self.halve = Pool[Pool.AVG, spatial_dims](2)
        self.unet = UNet(spatial_dims, seen, spatial_dims, filters=filters, **options)
        for parameter in self.unet.heads.parameters():
            nn.init.zeros_(parameter)
        self.modulated = [] if regularity is None else [*modulate(self.unet.encoder), *modulate(self.unet.decoder)]
        convolve_by_onednn(self)

    def forward(self, pair: Tensor) -> Tensor:
        return self.displacement(self.velocity(pair), pair.shape[2:])

    def velocity(self, pair: Tensor) -> Tensor:
        """The stationary velocity field (B, D, *S) or (B, D, *S/2), in voxels of its own grid."""
        return self.guided(pair)["velocity"]

    def guided(self, pair: Tensor) -> dict[str, Tensor]:
        """The "velocity" and, if there is a "guide", its logits (B, 2 K, *S) or (B, 2 K, *S/2), moving and fixed."""
        self._check_size(pair.shape[2:])
        logits = None if self.guide is None else self.segmented(pair)
        maps = [] if logits is None else [self._map(image, pair) for image in logits.chunk(2, dim=1)]
        for block in self.modulated:
            block.amount = cast(float, self.regularity)
        velocity = self._velocity(pair, maps)
        if self.symmetric and not self.training:
            velocity = (velocity - self._velocity(swapped(pair), maps[::-1])) / 2
        return {"velocity": velocity} if logits is None else {"velocity": velocity, "guide": logits}

    def _map(self, logits: Tensor, pair: Tensor) -> Tensor:
        """The probabilities (B, K, *S/2) of the guide's logits of one image of a pair."""
        maps = logits.softmax(dim=1)
        return self.halve(pad_to_multiple(maps, 2)) if maps.shape[2:] == pair.shape[2:] else maps

    def _velocity(self, pair: Tensor, maps: Sequence[Tensor]) -> Tensor:
        velocity = self.unet(self._seen(pair, maps))
        for _ in range(self.passes - 1):
            velocity = velocity.float() + self.unet(self._registered(pair, maps, velocity))
        return velocity

    def _seen(self, pair: Tensor, maps: Sequence[Tensor]) -> Tensor:
        """What the U-Net sees of a pair and the guide's maps of it, moving and fixed, if there are any."""
        forces = [demons_force(*(x.float() for x in maps)).to(maps[0].dtype)] if maps and self.forces else []
        return torch.cat([self.reduce(pair), *maps, *forces], dim=1)

    def _registered(self, pair: Tensor, maps: Sequence[Tensor], velocity: Tensor) -> Tensor:
        """What the U-Net sees where `velocity` has moved what is moving."""
        sample = self.warp or warp
        moving, fixed = pair.split(1, dim=1)
        moved = sample(moving, self.displacement(velocity, pair.shape[2:])).to(pair.dtype)
        moved_maps = [sample(each, self.displacement(velocity, each.shape[2:])).to(each.dtype) for each in maps[:1]]
        return self._seen(torch.cat([moved, fixed], dim=1), [*moved_maps, *maps[1:]])

    def _check_size(self, size: Sequence[int]) -> None:
        """Raise InputError for images that are one voxel at the deepest level, which has then nothing to normalise."""
        if self.normalises_images and not torch.compiler.is_compiling() and max(size) <= self.stride:
            raise InputError(
                "pair", expected=f"more than {self.stride} voxels along an axis, for the levels of this network",
                got=" × ".join(map(str, size)), fix="choose a smaller --pixdim, or pad the images",
            )  # fmt: skip

    def segmented(self, pair: Tensor) -> Tensor:
        """The guide's logits of a pair (B, 2, *S), as `guided` gives them. Raises ValueError without a guide."""
        if self.guide is None:
            raise ValueError("expected a network with a guide")
        return torch.cat([self.guide(image) for image in pair.split(1, dim=1)], dim=1)

    def displacement(self, velocity: Tensor, size: Sequence[int]) -> Tensor:
        """The displacement on the grid of the images, (B, D, *size); that of `-velocity` is its inverse."""
        return resize_displacement(integrate(velocity, steps=self.steps, warp=self.warp), size)


def swapped(pair: Tensor) -> Tensor:
    """A pair (B, 2, *S) with what was moving as what is fixed."""
    return torch.cat([*reversed(pair.split(1, dim=1))], dim=1)
