"""How a registration network is run over a pair: once, or on from there for the pair at hand."""

from typing import Any

import torch
from monai.inferers import Inferer
from torch import Tensor

from shared.engines.inferers import AutocastInferer
from shared.losses.registration import RegistrationLoss
from shared.nets.voxelmorph import VoxelMorph


class RegistrationInferer(Inferer):
    """Give the displacement (B, D, *S) of pairs (B, 2, *S), in voxels; refined on the pair at hand, if asked for.

    refine_steps: of gradient descent (Adam) on the velocity field, from that of the network, under `loss`.
    learning_rate: of these steps, in voxels of the velocity's grid. anchor: weight of the mean squared distance from
    the network's velocity, which knows of labels what the images do not show.
    with_inverse: give (B, 2 D, *S), there and back again. bfloat16: let the network compute in it where it is native.
    The network must give velocities, as a VoxelMorph does.
    Source: Balakrishnan et al., IEEE TMI 38 (2019), instance-specific optimisation.
    """

    def __init__(
        self,
        loss: RegistrationLoss,
        *,
        refine_steps: int = 0,
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
        self.velocity = AutocastInferer(bfloat16)

    def __call__(self, inputs: Tensor, network: Any, *args: Any, **kwargs: Any) -> Tensor:
        pair, size = torch.as_tensor(inputs), inputs.shape[2:]
        velocity = self.velocity(pair, network.velocity)
        if self.refine_steps:
            velocity = self._refined(velocity, pair, network)
        there = network.displacement(velocity, size)
        return torch.cat([there, network.displacement(-velocity, size)], dim=1) if self.with_inverse else there

    @torch.enable_grad()
    def _refined(self, start: Tensor, pair: Tensor, network: VoxelMorph) -> Tensor:
        velocity = start.detach().clone().requires_grad_()
        optimizer = torch.optim.Adam([velocity], lr=self.learning_rate)
        for _ in range(self.refine_steps):
            there, back = (network.displacement(v, pair.shape[2:]) for v in (velocity, -velocity))
            loss = self.loss({"velocity": velocity, "there": there, "back": back}, {"image": pair})
            loss = loss + self.anchor * (velocity - start).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return velocity.detach()
