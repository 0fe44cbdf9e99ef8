"""What a training step of a template is: images registered to it both ways."""

from collections.abc import Mapping
from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.data import Dataset
from monai.utils import convert_to_tensor
from torch import Tensor, nn

from shared.layers.naming import name_as_part
from shared.nets.template import TemplateMorph


class ToTemplate(nn.Module):
    """Register images (B, 1, *S) to the templates of their attributes `codes` (B, K), both ways at once.

    Gives {"velocity", "there", "back", "template"}: displacements (B, D, *S), in voxels, of which "there" samples the
    image for each voxel of the template, and "back" the template for each of the image; "template" is (B, 1, *S). Where
    the template has attributes, also "shape", the velocity that moved it.
    The template learns from what it is compared with, not from how the network sees it.
    """

    def __init__(self, network: TemplateMorph) -> None:
        super().__init__()
        self.network = network
        name_as_part(self, "network")

    def forward(self, image: Tensor, codes: Tensor) -> dict[str, Tensor]:
        shape = {"shape": self.network.shape_velocity(codes)} if self.network.shape else {}
        template = self.network.moved_template(shape.get("shape"), len(image))
        velocity = self.network.velocity(torch.cat([image, template.detach()], dim=1)).float()
        ways = {
            way: self.network.displacement(sign * velocity, image.shape[2:])
            for way, sign in (("there", 1), ("back", -1))
        }
        return {"velocity": velocity, "template": template, **ways, **shape}


def prepare_image(
    batch: Mapping[str, Tensor], device: str | torch.device, non_blocking: bool = False, **_: Any
) -> tuple[Tensor, dict[str, Tensor], tuple[Tensor], dict[str, Any]]:
    """A batch's images (B, 1, *S), with what the loss wants of them, and their codes as a further argument."""
    image, codes = (
        convert_to_tensor(batch[key]).to(device, non_blocking=non_blocking).float() for key in ("image", "codes")
    )
    return image, {"image": image, "codes": codes}, (codes,), {}


class TemplateStart:
    """Let a template that is 0 everywhere begin as the mean of `images`, on their grid, when an engine starts.

    images: a dataset of {"image": (1, *S), "affine": (4, 4)}. What has a template keeps it: weights of an earlier
    training, and a training that resumes: its state replaces what is here.
    """

    def __init__(self, network: TemplateMorph, images: Dataset) -> None:
        self.network = network
        self.images = images

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.STARTED, self.begin)

    def begin(self) -> None:
        if self.network.template.any():
            return
        total = sum(convert_to_tensor(self.images[i]["image"]).double() for i in range(len(self.images)))
        with torch.no_grad():
            self.network.template.copy_(total[None] / len(self.images))
            self.network.affine.copy_(torch.as_tensor(self.images[0]["affine"]))
