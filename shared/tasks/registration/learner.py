"""What a training step on pairs of images is, and how it is validated."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from ignite.metrics import Average
from monai.utils import convert_to_tensor
from torch import Tensor, nn

from shared.errors import InputError
from shared.layers.naming import name_as_part
from shared.nets.voxelmorph import VoxelMorph
from shared.spatial.jacobian import jacobian_determinant
from shared.spatial.warping import warp
from shared.tasks.registration.metrics import label_dice, regularity
from shared.tasks.registration.ncc import ncc_loss

SPAN = 10.0  # what the weight of smoothness is divided by for a regularity of 0, and multiplied by for 1


class BothWays(nn.Module):
    """Register a pair (B, 2, *S) both ways at once: {"velocity", "there", "back"}, displacements (B, D, *S) in voxels.

    "there" samples the moving image, "back" the fixed one: the network's velocity integrated, and its negative. Where
    the network has a guide, also "guide", its logits.
    back: without it, only "there", in two thirds of the time a step. stride: they are on a grid coarser by this, in
    voxels of that, and so is the loss: half the time a step with 2, for the first part of a training.
    learn: "all"; "guide", which alone is computed, to be learned first; or "velocity", the rest, with the guide as it
    is. What is not learned takes no gradient.
    A network that takes any regularity is given one at random at each step of training; "smoothness" is then the factor
    of the loss's weight of it, see `smoothness_factor`.
    Raises InputError for another part, or where there is no guide.
    """

    def __init__(self, network: VoxelMorph, *, back: bool = True, stride: int = 1, learn: str = "all") -> None:
        super().__init__()
        parts = ["all", "guide", "velocity"] if network.guide else ["all"]
        if learn not in parts:
            raise InputError("--learn", expected=f"one of {', '.join(parts)}", got=repr(learn), fix="choose one")
        self.network = network
        name_as_part(self, "network")
        self.stride = stride
        self.learn = learn
        self.signs = {"there": 1, "back": -1} if back else {"there": 1}
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(learn in ("all", "guide" if name.startswith("guide.") else "velocity"))

    def train(self, mode: bool = True) -> "BothWays":
        super().train(mode)
        if self.network.guide is not None and self.learn == "velocity":
            self.network.guide.eval()  # its batch norms stay as they are
        return self

    def forward(self, pair: Tensor) -> dict[str, Tensor]:
        if self.network.regularity is not None and self.training:
            self.network.regularity = float(torch.rand(()))
        if self.learn == "guide":
            return {"guide": self.network.segmented(pair)}
        found = self.network.guided(pair)
        if self.learn == "velocity":
            found.pop("guide", None)
        velocity = found["velocity"].float()
        size = [s // self.stride for s in pair.shape[2:]]
        ways = {way: self.network.displacement(sign * velocity, size) for way, sign in self.signs.items()}
        if self.network.regularity is not None:
            ways["smoothness"] = velocity.new_tensor(smoothness_factor(self.network.regularity))
        return {**found, "velocity": velocity, **ways}


def smoothness_factor(regularity: float) -> float:
    """What a regularity from 0 to 1 multiplies the weight of smoothness by: 1 / `SPAN` to `SPAN`, evenly in its log."""
    return SPAN ** (2 * regularity - 1)


def regularity_for(factor: float) -> float:
    """The regularity whose `smoothness_factor` is `factor`; outside 0 to 1 no network is trained for it."""
    return 0.5 + math.log(factor, SPAN) / 2


def prepare_pair(
    batch: Mapping[str, Tensor], device: str | torch.device, non_blocking: bool = False, **_: Any
) -> tuple[Tensor, dict[str, Tensor]]:
    """A batch's pair (B, 2, *S), and with it all that a loss or a metric wants of it, as plain tensors."""
    wanted = {
        key: convert_to_tensor(batch[key]).to(device, non_blocking=non_blocking)
        for key in ("image", "label")
        if key in batch
    }
    return wanted["image"], wanted


class PairFigure(Average):
    """The mean over pairs of "dice" (of the fixed image's labels), "ncc", "folds_percent" or "sd_log_jacobian"."""

    def __init__(self, figure: str) -> None:
        self.figure = figure
        super().__init__(output_transform=self._of_pairs)

    def compute(self) -> float:
        return float(super().compute())

    def _of_pairs(self, output: list[dict[str, Any]]) -> Tensor:
        """A column, whose numbers ignite takes for one each, however many pairs a batch has."""
        pairs = ((o["pred"], o["label"]["image"], o["label"].get("label")) for o in output)  # see `prepare_pair`
        return torch.tensor([[pair_figure(self.figure, *pair)] for pair in pairs], dtype=torch.float64)


def pair_figure(figure: str, displacement: Tensor, pair: Tensor, label: Tensor | None = None) -> float:
    """A figure of a displacement (D, *S) between the two images of `pair` and of `label`, both (2, *S)."""
    displacement = displacement[None].float()
    if figure == "dice" and label is not None:
        ids = label[label > 0].unique()
        ranks = (torch.bucketize(label, ids) + 1) * (label > 0)  # in float32, as `warp` computes, ids might be rounded
        moved = warp(ranks[None, :1], displacement, mode="nearest")[0, 0]
        labels = [int(rank) for rank in ranks[1].unique() if rank > 0]
        return float(np.mean(label_dice(moved, ranks[1], labels)))
    if figure == "ncc":
        return -float(ncc_loss(warp(pair[None, :1], displacement), pair[None, 1:]))
    return regularity(jacobian_determinant(displacement))[figure]
