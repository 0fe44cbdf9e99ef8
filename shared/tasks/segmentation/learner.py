"""A training step of a network that answers at a part of the voxels."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from monai.utils import convert_to_tensor
from torch import Tensor, nn

from shared.nets.halved_unet import HalvedUNet, every_other


class LatticeLearner(nn.Module):
    """The loss of `network` on every other voxel of images (B, C, *S), from a random one of their first 2^D on.

    label: (B, 1, *S), classes. The classes of a volume of many fill most of a step's memory and a third of its time; a
    part of the voxels tells as much. It is the module to run in parallel on several devices.
    """

    def __init__(self, network: HalvedUNet, loss: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.network = network
        self.loss = loss

    def forward(self, image: Tensor, label: Tensor) -> Tensor:
        corner = torch.randint(2, [image.ndim - 2]).tolist()
        logits = self.network.at(image, corner).float()
        return self.loss(logits, every_other(label, corner))


def prepare_labelled(
    batch: Mapping[str, Any], device: str | torch.device | None = None, non_blocking: bool = False, **kwargs: Any
) -> tuple[Tensor, None, tuple, dict[str, Any]]:
    """A collated batch as MONAI's SupervisedTrainer hands it to a `LatticeLearner`."""
    image, label = (
        convert_to_tensor(batch[key], track_meta=False).to(device, non_blocking=non_blocking)
        for key in ("image", "label")
    )
    return image, None, (), {"label": label}


def as_it_is(loss: Tensor, _: object = None) -> Tensor:
    """The loss that a learner has worked out itself, for a trainer that asks for a function of (pred, label)."""
    return loss
