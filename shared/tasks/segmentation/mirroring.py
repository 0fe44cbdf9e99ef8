"""A segmentation whose classes have sides, averaged over an image and its mirror image."""

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from monai.inferers import Inferer
from torch import Tensor

from shared.errors import InputError

SIDES = {"left_": "right_", "right_": "left_"}


class MirrorInferer(Inferer):
    """Average the class probabilities of (B, C, X, *S), X from left to right, and of its mirror image along X.

    The mirror image is seen one voxel further along each axis, which for a network of strides is another image: that
    gains as much again as the mirror alone. Returns log-probabilities (B, classes, X, *S), so that what follows may
    treat them as logits; where `enabled` is false, the logits of `inferer`.
    class_names: "left_" and "right_" of a name are exchanged. Raises InputError where one of the two is missing.
    """

    def __init__(self, inferer: Inferer, class_names: Sequence[str], *, enabled: bool = True) -> None:
        self.inferer = inferer
        self.partners = partners(class_names) if enabled else []
        self.enabled = enabled

    def __call__(self, inputs: Tensor, network: Any, *args: Any, **kwargs: Any) -> Tensor:
        logits: Tensor = self.inferer(inputs, network, *args, **kwargs)
        if not self.enabled:
            return logits
        further = F.pad(inputs.flip(2), [1, 0] * (inputs.ndim - 2))
        seen = self.inferer(further, network, *args, **kwargs)
        seen = seen[(..., *[slice(1, None)] * (inputs.ndim - 2))].flip(2)[:, self.partners]
        return torch.logaddexp(logits.log_softmax(dim=1), seen.log_softmax(dim=1)) - math.log(2)


def partners(class_names: Sequence[str]) -> list[int]:
    """The position in `class_names` of what each class is in a mirror: itself where it has no side."""
    found = []
    for name in class_names:
        side = next((s for s in SIDES if name.startswith(s)), "")
        partner = SIDES.get(side, "") + name.removeprefix(side)
        if partner not in class_names:
            raise InputError(
                "--class_names", expected=f"{partner} beside {name}", got="one side alone", fix="pass --mirrored False"
            )
        found.append(list(class_names).index(partner))
    return found
