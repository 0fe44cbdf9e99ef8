"""RevUNet: a U-Net of reversible blocks, whose memory in training does not grow with the depth of a level."""

from collections.abc import Sequence
from typing import Any

from shared.nets.unet import UNet


class RevUNet(UNet):
    """Segment images of any size: (B, in_channels, *S) to logits (B, out_channels, *S), 2D and 3D.

    A `UNet` of `ReversibleBlock`s, with its arguments and errors; filters: even numbers.
    Source: Brügger et al., A Partially Reversible U-Net for Memory-Efficient Volumetric Image Segmentation, MICCAI
        2019, fig. 1. Differs: skips are concatenated, and a 3×3 convolution leads into each block.
    """

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        out_channels: int,
        *,
        filters: Sequence[int] = (32, 64, 128, 256, 512),
        **options: Any,
    ) -> None:
        super().__init__(spatial_dims, in_channels, out_channels, filters=filters, block="reversible", **options)
