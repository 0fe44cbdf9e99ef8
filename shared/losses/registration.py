"""What a registration network is trained for: images that look alike, smooth fields, labels that overlap."""

from collections.abc import Callable, Mapping
from functools import partial

import torch
import torch.nn.functional as F
from monai.losses import GlobalMutualInformationLoss
from torch import Tensor, nn

from shared.errors import InputError
from shared.losses.fields import diffusion
from shared.losses.ncc import ncc_loss
from shared.spatial.warping import warp

Similarity = Callable[[Tensor, Tensor], Tensor]


class RegistrationLoss(nn.Module):
    """The loss of a pair registered both ways: dissimilarity + smoothness · diffusion + overlap · (1 - soft Dice).

    registered: {"velocity", "there", "back"}, each (B, D, *S) (see `BothWays`). batch: {"image": (B, 2, *S)}, moving
    and fixed, and, for the Dice, "label": (B, 2, *S), ids. similarity: of two images (B, 1, *S), lower for those that
    are more alike; the mean of both ways counts. ignore_zeros: where one of them is 0, as in the margin of a padded
    crop, both count as 0, so that the edges of crops are not drawn to one another. Without labels the last term is
    left out.
    Source: Balakrishnan et al., IEEE TMI 38 (2019), eq. 3 and 9; both ways as in Dalca et al., Medical Image Analysis
    57 (2019).
    """

    def __init__(
        self,
        similarity: Similarity = ncc_loss,
        *,
        smoothness: float = 1.0,
        overlap: float = 0.0,
        ignore_zeros: bool = False,
    ) -> None:
        super().__init__()
        self.similarity = similarity
        self.smoothness = smoothness
        self.overlap = overlap
        self.ignore_zeros = ignore_zeros

    def forward(self, registered: Mapping[str, Tensor], batch: Mapping[str, Tensor]) -> Tensor:
        moving, fixed = batch["image"][:, :1], batch["image"][:, 1:]
        there, back = registered["there"], registered["back"]
        unlike = self._unlikeness(moving, fixed, there) + self._unlikeness(fixed, moving, back)
        loss = unlike / 2 + self.smoothness * diffusion(registered["velocity"])
        if self.overlap and "label" in batch:
            loss = loss + self.overlap * soft_dice_loss(batch["label"][:, :1], batch["label"][:, 1:], there)
        return loss

    def _unlikeness(self, moving: Tensor, fixed: Tensor, displacement: Tensor) -> Tensor:
        if not self.ignore_zeros:
            return self.similarity(warp(moving, displacement), fixed)
        moved, there = warp(torch.cat([moving, (moving != 0).to(moving.dtype)], dim=1), displacement).chunk(2, dim=1)
        both = (there.detach() > 0.5) & (fixed != 0)
        return self.similarity(moved * both, fixed * both)


def similarity_named(name: str, *, window: int = 9) -> Similarity:
    """The loss "ncc" (in windows of `window` voxels), "mse", or, for unlike contrasts, "mi", mutual information.

    Raises InputError for another name.
    """
    similarities: dict[str, Similarity] = {"ncc": partial(ncc_loss, window=window), "mse": F.mse_loss}
    if name == "mi":
        return GlobalMutualInformationLoss(kernel_type="gaussian", num_bins=23)
    if name not in similarities:
        raise InputError("--similarity", expected="one of ncc, mse, mi", got=repr(name), fix="choose one of these")
    return similarities[name]


def soft_dice_loss(moving_label: Tensor, fixed_label: Tensor, displacement: Tensor) -> Tensor:
    """1 - the mean Dice of the labels that both maps (B, 1, *S) of a pair hold, the moving one's warped linearly.

    Background, 0, does not count; without a label in common it is 0.
    Source: Balakrishnan et al., IEEE TMI 38 (2019), eq. 8.
    """
    ids = fixed_label.unique()
    channels = ids[ids > 0].reshape(1, -1, *[1] * (fixed_label.ndim - 2))
    moving, fixed = (moving_label == channels).float(), (fixed_label == channels).float()
    moved = warp(moving, displacement)
    inside = tuple(range(2, moved.ndim))
    dice = 2 * (moved * fixed).sum(inside) / (moved.sum(inside) + fixed.sum(inside)).clamp(min=1e-6)
    in_both = (moving.sum(inside) * fixed.sum(inside) > 0).float()
    return ((1 - dice) * in_both).sum() / in_both.sum().clamp(min=1)
