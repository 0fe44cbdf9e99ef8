"""Windowed normalised cross-correlation, with a backward pass in closed form."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


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
        total, offset = None, 0
        while width <= window:
            if window & width:
                part = sums.narrow(axis, offset, size)
                total, offset = part if total is None else total + part, offset + width
            if 2 * width <= window:
                length = sums.shape[axis] - width
                sums = sums.narrow(axis, 0, length) + sums.narrow(axis, width, length)
            width *= 2
        x = total
    return x


class _SquaredCorrelation(torch.autograd.Function):
    """The mean over voxels of cc² = cov² / (var_a var_b) in windows; its gradient takes two more box sums an image."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, window: int, epsilon: float) -> Tensor:
        count = box_sum(torch.ones_like(a[:1, :1]), window)
        mean_a, mean_b = box_sum(a, window) / count, box_sum(b, window) / count
        covariance = box_sum(a * b, window) / count - mean_a * mean_b
        variance_a = (box_sum(a * a, window) / count - mean_a * mean_a).clamp_(min=0) + epsilon
        variance_b = (box_sum(b * b, window) / count - mean_b * mean_b).clamp_(min=0) + epsilon
        ctx.save_for_backward(a, b, mean_a, mean_b, covariance, variance_a, variance_b, count)
        ctx.window = window
        return (covariance * covariance / (variance_a * variance_b)).mean()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        a, b, mean_a, mean_b, covariance, variance_a, variance_b, count = ctx.saved_tensors
        # d cc²/d cov, d cc²/d var_a and d cc²/d var_b at each window, over the window's count and the mean's.
        scale = grad / (covariance.numel() * count)
        by_covariance = 2 * covariance / (variance_a * variance_b) * scale
        squared = covariance * covariance / (variance_a * variance_b)
        by_a, by_b = squared / variance_a * scale, squared / variance_b * scale

        def gradient(x: Tensor, y: Tensor, mean_x: Tensor, mean_y: Tensor, by_x: Tensor) -> Tensor:
            """With respect to x: each voxel takes part in every window around it."""
            constant = box_sum(2 * by_x * mean_x - by_covariance * mean_y, ctx.window)
            return y * summed + constant - 2 * x * box_sum(by_x, ctx.window)

        summed = box_sum(by_covariance, ctx.window)
        grad_a = gradient(a, b, mean_a, mean_b, by_a) if ctx.needs_input_grad[0] else None
        grad_b = gradient(b, a, mean_b, mean_a, by_b) if ctx.needs_input_grad[1] else None
        return grad_a, grad_b, None, None


def ncc_loss(a: Tensor, b: Tensor, *, window: int = 9, epsilon: float = 1e-5) -> Tensor:
    """Minus the mean squared correlation of two images (B, C, *S) in windows of `window` voxels: -1 for equal ones.

    window: odd. epsilon: added to the variances, so that windows of one value count as uncorrelated.
    Windows at the border hold what is inside the image. Computed in float32 under autocast too.
    Source: Avants et al., Medical Image Analysis 12 (2008), sec. 2.3; squared as in VoxelMorph.
    """
    if a.shape != b.shape:
        raise ValueError(f"expected images of one shape, got {tuple(a.shape)} and {tuple(b.shape)}")
    if window % 2 == 0:
        raise ValueError(f"expected an odd window, got {window}")
    with torch.autocast(a.device.type, enabled=False):
        a, b = (x if x.dtype == torch.float64 else x.float() for x in (a, b))
        loss: Tensor = -_SquaredCorrelation.apply(a, b, window, epsilon)
        return loss
