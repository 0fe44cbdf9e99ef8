"""A template in the middle of the images that are registered to it."""

from collections.abc import Iterable
from pathlib import Path

import torch
from ignite.engine import Engine, Events
from monai.data import Dataset
from monai.utils import convert_to_tensor
from torch import Tensor

from shared.engine.processes import is_first_process
from shared.engine.weights import half_state_dict, load_weights
from shared.files import write_atomically
from shared.nets.template import TemplateMorph
from shared.spatial.warping import compose, warp

ROUNDS = 6  # of which each but the first takes away what registrations to the moved template bring anew


class TemplateCentring:
    """Centre the template of the best weights of a training when it ends, and write them once more.

    network: takes the weights. images: what was trained on, a dataset of {"image": (1, *S)} on the template's grid.
    output_dir: of the training, with its model.pt.
    """

    def __init__(self, network: TemplateMorph, images: Dataset, output_dir: str | Path) -> None:
        self.network = network
        self.images = images
        self.weights = Path(output_dir) / "model.pt"

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.COMPLETED, self.end)

    def end(self) -> None:
        if not is_first_process() or not self.weights.is_file():
            return
        load_weights(self.network, self.weights).eval()
        images = [convert_to_tensor(self.images[place]["image"])[None] for place in range(len(self.images))]
        before, after = centre(self.network, images)
        write_atomically(self.weights, lambda path: torch.save(half_state_dict(self.network), path))
        print(f"{self.weights}: mean displacement to the template {before:.3f} voxels, centred {after:.3f}")


def centre(network: TemplateMorph, images: list[Tensor], rounds: int = ROUNDS) -> tuple[float, float]:
    """Move the template of attributes 0 to the middle of `images` (1, 1, *S); gives how far it was, and how far it is.

    That is the mean length of their mean displacement, in voxels. The template is moved against that displacement, by
    its inverse, and images are registered to what it became, `rounds` times; it is interpolated once.
    Source: Guimond et al., Average Brain Models, CVIU 77 (2000), sec. 2.2.
    """
    template = network.template.detach().clone()
    mean = mean_displacement(network, images)
    moved, before = torch.zeros_like(mean), length(mean)
    for _ in range(rounds):
        moved = compose(moved, _inverse(mean))
        network.template.data = warp(template, moved)
        mean = mean_displacement(network, images)
    return before, length(mean)


@torch.no_grad()
def mean_displacement(network: TemplateMorph, images: Iterable[Tensor]) -> Tensor:
    """Of `images` (1, 1, *S) registered to the template of attributes 0: (1, D, *S), in voxels."""
    template = network.moved_template(None, 1)
    total, count = torch.zeros(1, device=template.device), 0
    for image in images:
        total = total + network(torch.cat([image.to(template), template], dim=1))
        count += 1
    return total / count


def length(displacement: Tensor) -> float:
    """The mean length of the vectors of (1, D, *S)."""
    return float(displacement.norm(dim=1).mean())


def _inverse(displacement: Tensor, steps: int = 10) -> Tensor:
    """By fixed-point iteration; small displacements alone."""
    inverse = -displacement
    for _ in range(steps):
        inverse = -warp(displacement, inverse, padding="border")
    return inverse
