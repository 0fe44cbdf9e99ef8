"""FCN: an encoder whose deepest levels each answer, and whose answers are enlarged and added."""

from collections.abc import Sequence

import torch.nn.functional as F
from monai.networks.layers.factories import Conv, Pool
from torch import Tensor, nn

from shared.layers.onednn import convolve_by_onednn
from shared.layers.padding import pad_to_multiple
from shared.layers.plain import PlainBlock
from shared.nets.unet import crop

ANSWERING = 3  # levels, the deepest: those of FCN-8s, at 1/8, 1/16 and 1/32
LINEAR = {2: "bilinear", 3: "trilinear"}


class FCN(nn.Module):
    """Segment images of any size: (B, in_channels, *S) to logits (B, out_channels, *S), 2D and 3D.

    filters: of each level, from the full resolution down; each level halves the size of the one above.
    Source: Long et al., Fully Convolutional Networks for Semantic Segmentation, CVPR 2015, fig. 3. Differs: two
        normalised convolutions a level in place of VGG's; answers are enlarged linearly, which is what the paper's
        deconvolutions begin as; sizes that do not divide are padded by their border and cropped back.
    """

    def __init__(self, spatial_dims: int, in_channels: int, out_channels: int, *, filters: Sequence[int]) -> None:
        super().__init__()
        self.levels = nn.ModuleList(
            PlainBlock(spatial_dims, before, filters=after) for before, after in zip([in_channels, *filters], filters)
        )
        self.pool = Pool[Pool.MAX, spatial_dims](2)
        self.heads = nn.ModuleList(
            Conv[Conv.CONV, spatial_dims](width, out_channels, kernel_size=1) for width in filters[-ANSWERING:]
        )
        self.mode = LINEAR[spatial_dims]
        convolve_by_onednn(self)

    def forward(self, x: Tensor) -> Tensor:
        padded = pad_to_multiple(x, 2 ** (len(self.levels) - 1))
        maps = [self.levels[0](padded)]
        for level in self.levels[1:]:
            maps.append(level(self.pool(maps[-1])))
        answers = [head(one) for head, one in zip(self.heads, maps[-len(self.heads) :])]
        logits = answers.pop()
        while answers:
            logits = answers.pop() + self._enlarged(logits, 2)
        logits = self._enlarged(logits, 2 ** (len(self.levels) - len(self.heads)))
        return crop(logits, x.shape[2:])

    def _enlarged(self, x: Tensor, factor: int) -> Tensor:
        return x if factor == 1 else F.interpolate(x, scale_factor=factor, mode=self.mode, align_corners=False)
