"""How a registration network is run over a pair: once, or refined on the pair at hand."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from monai.inferers import Inferer
from monai.transforms import Transform
from monai.utils import convert_to_tensor
from torch import Tensor, nn

from shared.engine.inferers import AutocastInferer
from shared.errors import InputError
from shared.nets.voxelmorph import VoxelMorph
from shared.tasks.registration.contrasts import contrast_warning
from shared.tasks.registration.losses import RegistrationLoss
from shared.tasks.registration.optimising import descend, lowest

USUAL_STEPS = 10  # of hippocampus_mr_voxelmorph_registration: a second and a half of one thread; five give 0.009 less


class RegistrationInferer(Inferer):
    """Give the displacement (B, D, *S) of pairs (B, 2, *S), in voxels; refined on the pair at hand, if asked for.

    A third channel of a pair is 1 where the moving image is, and 0 elsewhere, which counts for nothing in refinement.
    refine_steps: of gradient descent (Adam) on the velocity field, from that of the network, under `loss`; None takes
    `USUAL_STEPS` where the network is one of torch, and none where another runtime has it, which has no gradients.
    learning_rate: of these steps, in voxels of the velocity's grid. anchor: weight of the mean squared distance from
    the network's velocity, which knows of labels what the images do not show. Of a pair whose moving image is a part
    it starts from no movement where that is the better.
    with_inverse: give (B, 2 D, *S), from fixed to moving and back. bfloat16: let the network compute in it where it is
    native.
    Refining and the way back need a VoxelMorph. What its guide sees counts as the loss has it: as "maps".
    Source: Balakrishnan et al., IEEE TMI 38 (2019), instance-specific optimisation.
    """

    def __init__(
        self,
        loss: RegistrationLoss,
        *,
        refine_steps: int | None = 0,
        learning_rate: float = 0.1,
        anchor: float = 0.0,
        with_inverse: bool = False,
        bfloat16: bool = False,
    ) -> None:
        self.loss = loss
        self.refine_steps = refine_steps
        self.learning_rate = learning_rate
        self.anchor = anchor
        self.with_inverse = with_inverse
        self.autocast = AutocastInferer(bfloat16)

    def __call__(self, inputs: Tensor, network: Callable[..., Tensor], *args: object, **kwargs: object) -> Tensor:
        plain, size = convert_to_tensor(inputs), inputs.shape[2:]  # a MetaTensor would triple the time of a step
        pair, inside = plain[:, :2], plain[:, 2:]
        steps = steps_for(network, self.refine_steps, usual=USUAL_STEPS)
        if not (steps or self.with_inverse):
            return self.autocast(pair, network)
        assert isinstance(network, VoxelMorph)  # evaluation, which asks for both ways, runs in torch
        found = self.autocast(pair, network.guided)
        velocity = self._refined(found, pair, inside, network, steps) if steps else found["velocity"]
        displacement = network.displacement(velocity, size)
        if not self.with_inverse:
            return displacement
        return torch.cat([displacement, network.displacement(-velocity, size)], dim=1)

    def _refined(
        self, found: Mapping[str, Tensor], pair: Tensor, inside: Tensor, network: VoxelMorph, steps: int
    ) -> Tensor:
        batch = {"image": pair, **({"inside": inside} if inside.shape[1] else {})}
        if "guide" in found:
            batch["maps"] = torch.cat([x.softmax(dim=1)[:, 1:] for x in found["guide"].detach().chunk(2, dim=1)], dim=1)

        def unlikeness(velocity: Tensor) -> Tensor:
            ways = {"there": velocity, "back": -velocity}
            registered = {way: network.displacement(v, pair.shape[2:]) for way, v in ways.items()}
            return self.loss({"velocity": velocity, **registered}, batch)

        start = found["velocity"].detach()
        if "inside" in batch:  # what a network makes of a part may be worse than nothing
            start = lowest(unlikeness, start, torch.zeros_like(start))
        velocity = start.clone().requires_grad_()

        def loss() -> Tensor:
            return unlikeness(velocity) + self.anchor * F.mse_loss(velocity, start)

        descend(loss, [velocity], steps=steps, learning_rate=self.learning_rate)
        return velocity.detach()


def steps_for(network: object, asked: int | None, *, usual: int) -> int:
    """Steps of refinement: those that are `asked` for, or where that is None the `usual` ones, which torch alone takes.

    Raises InputError where any are asked for of a network that another runtime has.
    """
    if isinstance(network, VoxelMorph):
        return usual if asked is None else asked
    if asked:
        raise InputError(
            "--refine_steps", expected="0 where the network runs in onnxruntime, which has no gradients", got=asked,
            fix="refine with --runtime torch",
        )  # fmt: skip
    return 0


class RegisterPaird(Transform):
    """Give "pred", the displacement (D, *S) of "image", (2, *S), by `inferer` and `network`, and its "network_seconds".

    Where the network compares images by its `similarity` "ncc", also "warning", of unlike contrasts: a line, or "".
    As a transform it runs in the workers of a DataLoader: several pairs are registered side by side.
    """

    def __init__(self, network: nn.Module, inferer: Inferer, device: str | torch.device = "cpu") -> None:
        self.network = network
        self.inferer = inferer
        self.device = device

    def __call__(self, data: Mapping[str, Any]) -> dict[str, Any]:
        started = time.perf_counter()
        pair = with_extent(data, dim=0)[None].to(self.device)
        with torch.no_grad():
            found = self.inferer(pair, self.network)
            (displacement,) = found.cpu()
            seconds = round(time.perf_counter() - started, 4)
            by_ncc = getattr(self.network, "similarity", None) == "ncc"
            warning = contrast_warning(pair, found) if by_ncc else ""
        return {**data, "pred": displacement, "network_seconds": seconds, "warning": warning}


def with_extent(data: Mapping[str, Tensor], dim: int) -> Tensor:
    """The "image" of a pair, and its "inside" as a third channel, at `dim`, where it has that (see `ReadPaird`)."""
    channels = [convert_to_tensor(data[key]) for key in ("image", "inside") if key in data]
    return torch.cat(channels, dim=dim)  # plain: a MetaTensor would triple the time of a step


def prepare_extended(
    batch: Mapping[str, Tensor], device: str | torch.device = "cpu", non_blocking: bool = False, **_: object
) -> tuple[Tensor, None]:
    """A batch's pair (B, 2, *S), or (B, 3, *S) where the moving image has not all of the grid."""
    return with_extent(batch, dim=1).to(device, non_blocking=non_blocking), None


def prepare_registered(batch: Mapping[str, Tensor], *_: object, **__: object) -> tuple[Tensor, None]:
    """What `RegisterPaird` found of a batch, in place of an image for a network."""
    return batch["pred"], None
