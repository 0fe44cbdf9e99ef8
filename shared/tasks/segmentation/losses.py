"""Losses of label maps of many classes, at the memory and time of few."""

from collections.abc import Mapping

import torch
from torch import Tensor


def dice_cross_entropy(logits: Tensor, label: Tensor, *, smooth: float = 1.0) -> Tensor:
    """Soft Dice loss over the classes of a batch, background among them, plus cross-entropy; a number.

    logits: (B, C, *S), float32. label: (B, 1, *S), classes. smooth: added to both parts of each fraction, in voxels.
    Equals MONAI's DiceCELoss(softmax=True, to_onehot_y=True, batch=True, smooth_nr=smooth, smooth_dr=smooth), but makes
    no one-hot maps.
    Source: Milletari et al., V-Net, 3DV 2016, eq. 3. Differs: no squares.
    """
    logs, wanted = logits.log_softmax(dim=1), label.long()
    chances = logs.exp()
    right = chances.gather(1, wanted).flatten()
    overlap = chances.new_zeros(logits.shape[1]).index_add(0, wanted.flatten(), right)
    sizes = torch.bincount(wanted.flatten(), minlength=logits.shape[1])
    expected = chances.sum(dim=[0, *range(2, logits.ndim)])
    dice = (2 * overlap + smooth) / (expected + sizes + smooth)
    return 1 - dice.mean() - logs.gather(1, wanted).mean()


def answered_loss(answered: Mapping[str, Tensor], _: object = None) -> Tensor:
    """`dice_cross_entropy` of what a `LatticeLearner` answers, as a trainer's function of (pred, label)."""
    return dice_cross_entropy(answered["logits"], answered["label"])
