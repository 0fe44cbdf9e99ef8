"""The two-convolution block and the bare skip of U-Net, with the signatures of their MultiRes counterparts."""

from monai.networks.blocks import Convolution
from torch import nn


class PlainBlock(nn.Sequential):
    """Two 3×3 convolutions, each normalised and activated: (B, in_channels, *S) to (B, filters, *S).

    Source: Ronneberger et al., U-Net, MICCAI 2015, fig. 1. Differs: padded, so that the size is kept.
    """

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        *,
        filters: int,
        norm: str | tuple | None = "batch",
        act: str | tuple = "relu",
    ) -> None:
        order = "NA" if norm else "A"
        super().__init__(
            *(
                Convolution(spatial_dims, i, filters, adn_ordering=order, norm=norm, act=act, bias=norm is None)
                for i in (in_channels, filters)
            )
        )
        self.out_channels = filters


class PlainSkip(nn.Identity):
    """A skip connection that hands its input on unchanged."""

    def __init__(self, spatial_dims: int, in_channels: int, **_: object) -> None:
        super().__init__()
        self.out_channels = in_channels
