"""MONAI's DynUNet, whose levels may halve some axes only, over images of any size."""

import math
from collections.abc import Sequence

from monai.networks.nets import DynUNet
from torch import Tensor

from shared.layers.cells import gathered, spread
from shared.layers.onednn import convolve_by_onednn
from shared.layers.padding import pad_to_multiple
from shared.nets.unet import crop


class AxisUNet(DynUNet):
    """Segment images of any size: (B, in_channels, *S) to logits (B, out_channels, *S), 2D and 3D.

    filters: of each level, from the full resolution down. strides: by which each level but the first shrinks each axis,
    such as [1, 2, 2] where the first axis is coarse already. kernels: the width of each level's convolutions by axis.
    residual: whether the blocks of the encoder are residual. cell: voxels along each axis that are gathered into the
    channels of one, [2, 2, 2] of eight; the network then works on the grid of cells, an eighth as large, and gives each
    cell's logits voxel by voxel. `filters` and `strides` are of that grid. Default: cells of one voxel.
    Raises ValueError unless there are as many kernels as filters, one stride fewer, and three levels or more.
    Sources: Isensee et al., nnU-Net, Nature Methods 18 (2021), supplementary note 2; of cells Shi et al., CVPR 2016,
    sec. 3.2. Differs: batch norm, which is faster on a CPU and folds into the convolutions of an export; no deep
    supervision; sizes that do not divide by the strides are padded by their border and cropped back.
    """

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        out_channels: int,
        *,
        filters: Sequence[int],
        strides: Sequence[Sequence[int]],
        kernels: Sequence[Sequence[int]],
        residual: bool = False,
        cell: Sequence[int] = (),
    ) -> None:
        if not len(filters) == len(kernels) == len(strides) + 1 >= 3:
            raise ValueError(
                f"expected three levels or more, each with filters and kernels, and a stride between two, got "
                f"{len(filters)} filters, {len(kernels)} kernels, {len(strides)} strides"
            )
        voxels = math.prod(cell)
        super().__init__(
            spatial_dims, in_channels * voxels, out_channels * voxels, kernel_size=kernels,
            strides=[[1] * spatial_dims, *strides], upsample_kernel_size=strides, filters=filters, norm_name="batch",
            res_block=residual,
        )  # fmt: skip
        self.cell = list(cell) or [1] * spatial_dims
        self.multiples = [math.prod(axis) for axis in zip(self.cell, *strides)]
        convolve_by_onednn(self)

    def forward(self, x: Tensor) -> Tensor:
        cells = gathered(pad_to_multiple(x, self.multiples), self.cell)
        return crop(spread(super().forward(cells), self.cell), x.shape[2:])


class ResEnc(AxisUNet):
    """An `AxisUNet` with a residual encoder, every level of which halves every axis.

    Source: Isensee et al., nnU-Net Revisited, MICCAI 2024, sec. 3 (ResEnc). Differs: one residual block a level, as
        MONAI's DynUNet has it.
    """

    def __init__(self, spatial_dims: int, in_channels: int, out_channels: int, *, filters: Sequence[int]) -> None:
        super().__init__(
            spatial_dims, in_channels, out_channels, filters=filters, strides=[[2] * spatial_dims] * (len(filters) - 1),
            kernels=[[3] * spatial_dims] * len(filters), residual=True,
        )  # fmt: skip
