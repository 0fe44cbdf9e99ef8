"""MultiResUNet, and by its arguments the two networks between it and U-Net."""

from collections.abc import Sequence
from typing import Any

from shared.nets.unet import UNet


class MultiResUNet(UNet):
    """Segment images of any size: (B, in_channels, *S) to logits (B, out_channels, *S), 2D and 3D.

    A `UNet` of MultiRes blocks and ResPaths, with its arguments and errors. block, skip: with "plain" for one of them
    it is one of the two mixtures in the paper's ablation.
    Source: Ibtehaz and Rahman, MultiResUNet, Neural Networks 121 (2020), fig. 5. Differs: logits instead of a
        normalised sigmoid.
    """

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        out_channels: int,
        *,
        filters: Sequence[int] = (32, 64, 128, 256, 512),
        block: str = "multires",
        skip: str = "respath",
        **options: Any,
    ) -> None:
        super().__init__(spatial_dims, in_channels, out_channels, filters=filters, block=block, skip=skip, **options)
