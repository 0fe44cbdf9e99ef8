"""Sums and means over windows, by which images are compared and fields are smoothed."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from shared.errors import InputError

KINDS = ("average", "gaussian", "none")
GAUSSIAN_WIDTH = 6  # standard deviations that the window of a Gaussian is wide


def box_sum(x: Tensor, window: int) -> Tensor:
    """The sum of (B, C, *S) over a centred window of `window` voxels along each axis; outside is 0.

    By doubling: sums of 2, 4, 8 … neighbours, as many as the window's binary digits need, so that it takes log2 of the
    window additions, and nothing is subtracted: differences of long float32 sums would lose what they are made of.
    """
    radius = window // 2
    for axis in range(2, x.ndim):
        size = x.shape[axis]
        shape = list(x.shape)
        shape[axis] = radius
        margin = x.new_zeros(shape)
        sums, width = torch.cat([margin, x, margin], dim=axis), 1  # of `width` voxels, starting at each
        total, offset = x.new_zeros(()), 0
        while width <= window:
            if window & width:
                part = sums.narrow(axis, offset, size)
                total, offset = part if offset == 0 else total + part, offset + width
            if 2 * width <= window:
                length = sums.shape[axis] - width
                sums = sums.narrow(axis, 0, length) + sums.narrow(axis, width, length)
            width *= 2
        x = total
    return x


class Moments(NamedTuple):
    """Of two images in windows around each voxel, (B, C, *S) each."""

    mean_a: Tensor
    mean_b: Tensor
    covariance: Tensor
    variance_a: Tensor
    variance_b: Tensor


def moments(a: Tensor, b: Tensor, window: int, *, count: Tensor) -> Moments:
    """Those of two images (B, C, *S) in windows of `window` voxels, of which `count` count; the others are 0."""
    means = box_sum(torch.cat([a, b, a * b, a * a, b * b], dim=1), window) / count  # all at once: fewer operations
    mean_a, mean_b, mean_ab, mean_aa, mean_bb = means.chunk(5, dim=1)
    variances = ((square - mean * mean).clamp_(min=0) for square, mean in ((mean_aa, mean_a), (mean_bb, mean_b)))
    return Moments(mean_a, mean_b, mean_ab - mean_a * mean_b, *variances)


class Smoothing(nn.Module):
    """Smooth (B, C, *S) by a centred window of `width` voxels along each axis, `passes` times; beyond the image is 0.

    kind: "average", "gaussian" (its standard deviation is a sixth of the width), or "none". Raises InputError for
    another kind or an even width.
    Source: Wu et al., NODEO, CVPR 2022, sec. 3.3.
    """

    def __init__(self, kind: str = "average", width: int = 15, passes: int = 1) -> None:
        super().__init__()
        if kind not in KINDS:
            raise InputError(
                "smoothing", expected=f"one of {', '.join(KINDS)}", got=repr(kind), fix="choose one of these"
            )
        if width % 2 == 0:
            raise InputError("smoothing", expected="an odd width", got=width, fix="choose the next one")
        self.kind = kind
        self.width = width
        self.passes = passes
        steps = torch.arange(width) - width // 2
        kernel = torch.exp(-0.5 * (steps * GAUSSIAN_WIDTH / width) ** 2)
        self.register_buffer("kernel", kernel / kernel.sum(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(0 if self.kind == "none" else self.passes):
            x = box_sum(x, self.width) / self.width ** (x.ndim - 2) if self.kind == "average" else self._gaussian(x)
        return x

    def _gaussian(self, x: Tensor) -> Tensor:
        dims, channels = x.ndim - 2, x.shape[1]
        convolve = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[dims]
        for axis in range(dims):
            shape = [self.width if i == axis else 1 for i in range(dims)]
            weight = self.get_buffer("kernel").reshape(1, 1, *shape).repeat(channels, *[1] * (dims + 1))
            x = convolve(x, weight, padding=[s // 2 for s in shape], groups=channels)
        return x
