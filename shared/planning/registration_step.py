"""A step of training on a pair, for counting and for measuring."""

from collections.abc import Sequence

from torch import Tensor, nn

from shared.nets.voxelmorph import VoxelMorph
from shared.tasks.registration.learner import BothWays
from shared.tasks.registration.losses import RegistrationLoss


class Velocity(VoxelMorph):
    """The part of a VoxelMorph that has filters, (B, 2, *S) to (B, D, *S/2); it can be counted without computing."""

    def forward(self, pair: Tensor) -> Tensor:
        return self.velocity(pair)


class LearnedPair(nn.Module):
    """The loss of pairs (B, 2, *S) without labels, both ways, by a VoxelMorph of these `filters`."""

    def __init__(self, spatial_dims: int, *, filters: Sequence[int]) -> None:
        super().__init__()
        self.both_ways = BothWays(VoxelMorph(spatial_dims, filters=filters))
        self.loss = RegistrationLoss()

    def forward(self, pair: Tensor) -> Tensor:
        return self.loss(self.both_ways(pair), {"image": pair})
