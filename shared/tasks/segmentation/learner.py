"""A training step of a network that answers at a part of the voxels."""

from collections.abc import Mapping
from typing import Any

import torch
from monai.utils import convert_to_tensor
from torch import Tensor, nn

from shared.layers.naming import name_as_part
from shared.nets.halved_unet import HalvedUNet, every_other


class LatticeLearner(nn.Module):
    """{"logits", "label"} of `network` at every other voxel of images (B, C, *S), from a random one on.

    label: (B, 1, *S), classes. Of a step at all voxels of a volume of 33 classes, logits and loss take more than half
    (0.62 s of one core at 64 × 80 × 64, 0.26 s at one voxel in eight); a part of them, another each time, shows the
    same; only a HalvedUNet can leave out the rest. It is the module to run in parallel on several devices.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        name_as_part(self, "network")

    def forward(self, image: Tensor, label: Tensor) -> dict[str, Tensor]:
        corner = torch.randint(2, [image.ndim - 2]).tolist()
        if isinstance(self.network, HalvedUNet):
            logits = self.network.at(image, corner)
        else:
            logits = every_other(self.network(image), corner)
        return {"logits": logits, "label": every_other(label, corner)}


def prepare_labelled(
    batch: Mapping[str, Any], device: str | torch.device | None = None, non_blocking: bool = False, **kwargs: Any
) -> tuple[Tensor, None, tuple, dict[str, Any]]:
    """A collated batch as MONAI's SupervisedTrainer hands it to a `LatticeLearner`."""
    image, label = (
        convert_to_tensor(batch[key], track_meta=False).to(device, non_blocking=non_blocking)
        for key in ("image", "label")
    )
    return image, None, (), {"label": label}
