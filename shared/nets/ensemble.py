"""Several networks of one kind as one network, whose answer is the mean of theirs."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from shared.nets.standardised import build_network

MEMBER = "networks.{}."  # what the names of a member's tensors begin with


class Ensemble(nn.Module):
    """Average the class probabilities of `networks`: (B, C, *S) to log-probabilities (B, classes, *S), 2D and 3D.

    Each gives logits of two or more classes. What follows may treat log-probabilities as logits.
    Source: Lakshminarayanan et al., Simple and Scalable Predictive Uncertainty Estimation using Deep Ensembles,
    NeurIPS 2017, sec. 2.4.
    """

    def __init__(self, networks: Iterable[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, image: Tensor) -> Tensor:
        first, *others = self.networks
        total = first(image).log_softmax(dim=1)
        for network in others:
            total = torch.logaddexp(total, network(image).log_softmax(dim=1))
        return total - math.log(len(self.networks))


def build_ensemble(network: str, *, count: int, **arguments: Any) -> Ensemble:
    """`count` networks of the class or function called `network`, of `arguments`: see `build_network`."""
    return Ensemble(build_network(network, **arguments) for _ in range(count))


def ensemble_state(states: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The state dict of an `Ensemble`, from those of its members."""
    return {MEMBER.format(place) + name: value for place, state in enumerate(states) for name, value in state.items()}


def first_member(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict of an ensemble's first network; `state` itself where it is of one network."""
    begin = MEMBER.format(0)
    member = {name.removeprefix(begin): value for name, value in state.items() if name.startswith(begin)}
    return member or dict(state)
