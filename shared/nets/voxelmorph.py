"""VoxelMorph: a U-Net that looks at two images and tells how to move one onto the other."""

from collections.abc import Sequence

from monai.networks.blocks import Convolution
from torch import Tensor, nn

from shared.nets.multiresunet import MultiResUNet
from shared.spatial.warping import integrate, resize_displacement


class VoxelMorph(nn.Module):
    """Register pairs of any size: (B, 2, *S), moving and fixed, to the displacement (B, D, *S) in voxels, 2D and 3D.

    The displacement says where the moving image is sampled for each voxel of the fixed one: `warp(moving, it)`.
    filters: of each level of the U-Net, from the velocity's resolution down.
    half_resolution: the velocity has half the images' resolution; much faster, and smoother.
    steps: squarings of the integration, which make the displacement invertible; with 0 the U-Net's output is it.
    Untrained, it is the identity. Raises ValueError where there is not one output a dimension.
    Source: Balakrishnan et al., IEEE TMI 38 (2019); integration as in Dalca et al., Medical Image Analysis 57 (2019).
    Differs: two convolutions a level with instance norm, and the first one reduces where the velocity is at half.
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
    ) -> None:
        super().__init__()
        if out_channels not in (None, spatial_dims):
            raise ValueError(f"expected {spatial_dims} output channels, one a dimension, got {out_channels}")
        self.steps = steps
        self.reduce = Convolution(
            spatial_dims, in_channels, filters[0], strides=2 if half_resolution else 1, adn_ordering="A", act=act
        )
        self.unet = MultiResUNet(
            spatial_dims, filters[0], spatial_dims, filters=filters, block="plain", skip="plain", norm=norm, act=act
        )
        for parameter in self.unet.heads.parameters():
            nn.init.zeros_(parameter)

    def forward(self, pair: Tensor) -> Tensor:
        return self.displacement(self.velocity(pair), pair.shape[2:])

    def velocity(self, pair: Tensor) -> Tensor:
        """The stationary velocity field (B, D, *S) or (B, D, *S/2), in voxels of its own grid."""
        return self.unet(self.reduce(pair))

    def displacement(self, velocity: Tensor, size: Sequence[int]) -> Tensor:
        """The displacement on the grid of the images, (B, D, *size); that of `-velocity` is its inverse."""
        return resize_displacement(integrate(velocity, steps=self.steps), size)
