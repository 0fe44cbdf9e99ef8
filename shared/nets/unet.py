"""U-Net, whose blocks and skips may be those of other networks of its shape."""

from collections.abc import Callable, Sequence

import torch
from monai.networks.layers.factories import Conv, Pool
from torch import Tensor, nn

from shared.layers.multires import MultiResBlock, ResPath
from shared.layers.onednn import convolve_by_onednn
from shared.layers.padding import pad_to_multiple
from shared.layers.plain import PlainBlock, PlainSkip
from shared.layers.reversible import ReversibleBlock

Block = MultiResBlock | PlainBlock | ReversibleBlock
BLOCKS: dict[str, Callable[..., Block]] = {
    "multires": MultiResBlock,
    "plain": PlainBlock,
    "reversible": ReversibleBlock,
}
SKIPS: dict[str, Callable[..., ResPath | PlainSkip]] = {"respath": ResPath, "plain": PlainSkip}


class UNet(nn.Module):
    """Segment images of any size: (B, in_channels, *S) to logits (B, out_channels, *S), 2D and 3D.

    filters: U of each level, from the full resolution down; each level halves the size of the one above.
    block: "plain", "multires" or "reversible"; alpha: the width of a MultiRes block. skip: "plain" or "respath".
    deep_supervision: n > 0 returns a list of 1 + n logits instead, full resolution first, each of the others
        at half the size of the one before; `monai.losses.DeepSupervisionLoss` takes it as it is.
    Raises ValueError for an unknown block or skip, or more supervised levels than there are.
    Source: Ronneberger et al., U-Net, MICCAI 2015, fig. 1. Differs: convolutions are padded and normalised; sizes that
        do not divide by 2^(levels - 1) are padded by their border and cropped back.
    """

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        out_channels: int,
        *,
        filters: Sequence[int] = (32, 64, 128, 256, 512),
        block: str = "plain",
        skip: str = "plain",
        alpha: float = 1.67,
        norm: str | tuple | None = "batch",
        act: str | tuple = "relu",
        deep_supervision: int = 0,
    ) -> None:
        super().__init__()
        if block not in BLOCKS or skip not in SKIPS:
            raise ValueError(f"expected block in {[*BLOCKS]} and skip in {[*SKIPS]}, got {block!r} and {skip!r}")
        levels = len(filters)
        if not 0 <= deep_supervision < levels - 1:
            raise ValueError(f"expected deep_supervision from 0 to {levels - 2}, got {deep_supervision}")
        self.stride = 2 ** (levels - 1)
        conv, up = Conv[Conv.CONV, spatial_dims], Conv[Conv.CONVTRANS, spatial_dims]
        parts = {"norm": norm, "act": act}
        block_parts = parts | ({"alpha": alpha} if block == "multires" else {})

        def make_block(channels: int, level: int) -> Block:
            return BLOCKS[block](spatial_dims, channels, filters=filters[level], **block_parts)

        self.encoder, self.skips = nn.ModuleList(), nn.ModuleList()
        skip_channels = []
        channels = in_channels
        for level in range(levels - 1):
            encode = make_block(channels, level)
            channels, length = encode.out_channels, levels - 1 - level
            path = SKIPS[skip](spatial_dims, channels, filters=filters[level], length=length, **parts)
            skip_channels.append(path.out_channels)
            self.encoder.append(encode)
            self.skips.append(path)
        self.pool = Pool[Pool.MAX, spatial_dims](2)
        self.bottom = make_block(channels, levels - 1)
        channels = self.bottom.out_channels

        self.ups, self.decoder, self.heads = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for level in reversed(range(levels - 1)):
            self.ups.append(up(channels, filters[level], kernel_size=2, stride=2))
            decode = make_block(filters[level] + skip_channels[level], level)
            channels = decode.out_channels
            self.decoder.append(decode)
            if level <= deep_supervision:
                self.heads.insert(0, conv(channels, out_channels, kernel_size=1))  # the finest is heads.0
        convolve_by_onednn(self)

    def forward(self, x: Tensor) -> Tensor | list[Tensor]:
        size = x.shape[2:]
        x = pad_to_multiple(x, self.stride)
        skipped = []
        for block, skip in zip(self.encoder, self.skips):
            x = block(x)
            skipped.append(skip(x))
            x = self.pool(x)
        x = self.bottom(x)
        decoded = []
        for up, block in zip(self.ups, self.decoder):
            x = block(torch.cat([up(x), skipped.pop()], dim=1))
            decoded.append(x)
        fine_to_coarse = [head(x) for head, x in zip(self.heads, reversed(decoded))]
        logits = [crop(y, [-(-s // 2**i) for s in size]) for i, y in enumerate(fine_to_coarse)]
        return logits if len(logits) > 1 else logits[0]


def crop(x: Tensor, size: Sequence[int]) -> Tensor:
    """The leading (B, C, *size) corner of (B, C, *S)."""
    corner: tuple = (..., *(slice(s) for s in size))
    return x[corner]
