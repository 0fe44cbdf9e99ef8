"""How unlike two images are, and which of their voxels can be compared."""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from monai.losses import GlobalMutualInformationLoss
from torch import Tensor

from shared.errors import InputError
from shared.spatial.warping import warp
from shared.tasks.registration.ncc import ncc_loss

Similarity = Callable[..., Tensor]  # of two images (B, 1, *S), and perhaps `inside`, as `ncc_loss` has it
WHOLLY = 0.999  # a share that is 1 but for rounding


def visible(inside: Tensor, displacement: Tensor | None = None) -> Tensor:
    """1 where a voxel of an image is made of voxels that it has alone, else 0; (B, 1, *S), without a gradient.

    inside: (B, 1, *S), from 0 to 1, the share of voxels that the image has. displacement: (B, D, *S), by which it was
    moved, if it was.
    """
    with torch.no_grad():
        shares = inside if displacement is None else warp(inside, displacement)
        return (shares > WHOLLY).to(inside.dtype)


def mse_loss(a: Tensor, b: Tensor, *, inside: Tensor | None = None) -> Tensor:
    """The mean squared difference of two images, of voxels that are not `inside` 0."""
    return F.mse_loss(a, b) if inside is None else F.mse_loss(a * inside, b * inside)


def no_loss(a: Tensor, b: Tensor, *, inside: Tensor | None = None) -> Tensor:
    """0: whether images look alike does not matter."""
    return 0 * a.sum()


class MutualInformationLoss(GlobalMutualInformationLoss):
    """MONAI's, of the voxels alone that are `inside`, (B, 1, *S)."""

    def forward(self, a: Tensor, b: Tensor, *, inside: Tensor | None = None) -> Tensor:  # type: ignore[override]
        if inside is None:
            return super().forward(a, b)
        pairs = [(x[m > 0], y[m > 0]) for x, y, m in zip(a, b, inside)]
        losses = [super(MutualInformationLoss, self).forward(x[None, None], y[None, None]) for x, y in pairs if len(x)]
        return torch.stack(losses).mean() if losses else 0 * a.sum()


def similarity_named(name: str, *, window: int = 9) -> Similarity:
    """The loss "ncc" (in windows of `window` voxels), "mse", or, for unlike contrasts, "mi", mutual information; "none"
    for what is learned from labels alone.

    Raises InputError for another name.
    """
    similarities: dict[str, Similarity] = {"ncc": partial(ncc_loss, window=window), "mse": mse_loss}
    if name == "none":
        return no_loss
    if name == "mi":
        return MutualInformationLoss(kernel_type="gaussian", num_bins=23)
    if name not in similarities:
        raise InputError("--similarity", expected="one of ncc, mse, mi", got=repr(name), fix="choose one of these")
    return similarities[name]
