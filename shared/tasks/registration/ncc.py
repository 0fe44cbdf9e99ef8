"""Windowed normalised cross-correlation, with a backward pass in closed form."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from shared.layers.smoothing import box_sum, moments

LEAST_INSIDE = 0.5  # of a window's voxels: as many as where its centre lies on a straight border


class _SquaredCorrelation(torch.autograd.Function):
    """The mean over voxels of cc² = cov² / (var_a var_b) in windows; its gradient takes two more box sums an image.

    count: the voxels of each window that count, where the others are 0 in both images. weight: of each window, or None.
    """

    @staticmethod
    def forward(
        ctx: Any, a: Tensor, b: Tensor, count: Tensor, weight: Tensor | None, window: int, epsilon: float
    ) -> Tensor:
        mean_a, mean_b, covariance, variance_a, variance_b = moments(a, b, window, count=count)
        variance_a, variance_b = variance_a + epsilon, variance_b + epsilon
        ctx.save_for_backward(a, b, mean_a, mean_b, covariance, variance_a, variance_b, count, weight)
        ctx.window = window
        squared = covariance * covariance / (variance_a * variance_b)
        return (squared if weight is None else squared * weight).mean()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        a, b, mean_a, mean_b, covariance, variance_a, variance_b, count, weight = ctx.saved_tensors
        # d cc²/d cov, d cc²/d var_a and d cc²/d var_b at each window, over the window's count and the mean's.
        scale = grad / (covariance.numel() * count)
        if weight is not None:
            scale = scale * weight
        by_covariance = 2 * covariance / (variance_a * variance_b) * scale
        squared = covariance * covariance / (variance_a * variance_b)
        by_a, by_b = squared / variance_a * scale, squared / variance_b * scale

        def gradient(x: Tensor, y: Tensor, mean_x: Tensor, mean_y: Tensor, by_x: Tensor) -> Tensor:
            """With respect to x: each voxel takes part in every window around it."""
            of_windows = [by_covariance, 2 * by_x * mean_x - by_covariance * mean_y, by_x]
            times_y, constant, times_x = box_sum(torch.cat(of_windows, dim=1), ctx.window).chunk(3, dim=1)
            return y * times_y + constant - 2 * x * times_x

        grad_a = gradient(a, b, mean_a, mean_b, by_a) if ctx.needs_input_grad[0] else None
        grad_b = gradient(b, a, mean_b, mean_a, by_b) if ctx.needs_input_grad[1] else None
        return grad_a, grad_b, None, None, None, None


def ncc_loss(a: Tensor, b: Tensor, *, window: int = 9, epsilon: float = 1e-5, inside: Tensor | None = None) -> Tensor:
    """Minus the mean squared correlation of two images (B, C, *S) in windows of `window` voxels: -1 for equal ones.

    window: odd. epsilon: added to the variances, so that windows of one value count as uncorrelated.
    Windows at the border hold what is inside the image. Computed in float32 under autocast too.
    inside: (B, 1, *S), 1 where voxels count and 0 elsewhere; a window's means are those of its voxels that count, and
    it is left out where these are less than half of it. The mean is over all windows nevertheless, so that a voxel that
    counts weighs what it does without `inside`.
    Source: Avants et al., Medical Image Analysis 12 (2008), sec. 2.3; squared as in VoxelMorph; masked as in Padfield,
    IEEE TIP 21 (2012), eq. 18 to 24, with its least overlap.
    """
    if a.shape != b.shape:
        raise ValueError(f"expected images of one shape, got {tuple(a.shape)} and {tuple(b.shape)}")
    if window % 2 == 0:
        raise ValueError(f"expected an odd window, got {window}")
    with torch.autocast(a.device.type, enabled=False):
        a, b = (x if x.dtype == torch.float64 else x.float() for x in (a, b))
        count, weight = box_sum(torch.ones_like(a[:1, :1]), window), None
        if inside is not None:
            inside, whole = inside.to(a.dtype), count
            a, b, count = a * inside, b * inside, box_sum(inside, window)
            weight = (count >= LEAST_INSIDE * whole).to(a.dtype)
            count = count.clamp(min=1)  # of windows that are left out
        loss: Tensor = -_SquaredCorrelation.apply(a, b, count, weight, window, epsilon)
        return loss
