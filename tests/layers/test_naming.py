"""Modules around a network, whose weights have the names of the network's."""

from typing import Any

import pytest
import torch
from torch import nn

from shared.layers.naming import name_as_part


class Around(nn.Module):
    """A learner of one network, with a number of its own, as an AveragedModel has."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network: Any = network
        self.register_buffer("count", torch.tensor(3))
        name_as_part(self, "network")


def test_the_names_are_those_of_the_network_and_what_is_the_modules_own_stays() -> None:
    network = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    assert set(Around(network).state_dict()) == {*network.state_dict(), "count"}
    assert list(Around(network).state_dict()) == list(nn.ModuleList([Around(network)])[0].state_dict())


def test_within_another_module_only_the_part_is_left_out() -> None:
    inside = nn.ModuleDict({"learner": Around(nn.Linear(2, 3))})
    assert set(inside.state_dict()) == {"learner.weight", "learner.bias", "learner.count"}


@pytest.mark.parametrize("prefix", ["", "network."], ids=["short", "long"])
def test_names_with_and_without_the_part_are_loaded(prefix: str) -> None:
    source, target = nn.Linear(2, 3), Around(nn.Linear(2, 3))
    state = {prefix + name: value for name, value in source.state_dict().items()} | {"count": torch.tensor(7)}
    target.load_state_dict(state)
    assert torch.equal(target.network.weight, source.weight)
    assert target.count == 7


def test_what_is_missing_or_unknown_is_refused_as_ever() -> None:
    target = Around(nn.Linear(2, 3))
    with pytest.raises(RuntimeError, match=r"Missing key.*bias"):
        target.load_state_dict({"weight": torch.zeros(3, 2), "count": torch.tensor(0)})
    with pytest.raises(RuntimeError, match=r"Unexpected key.*strange"):
        target.load_state_dict({**nn.Linear(2, 3).state_dict(), "count": torch.tensor(0), "strange": torch.zeros(1)})
