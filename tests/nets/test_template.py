"""A template and the network that registers to it."""

import pytest
import torch

from shared.nets.template import TemplateMorph

SMALL = {"filters": [4, 8], "shape_filters": 4, "shape_levels": 2}


def random_network(dims: int, *, attributes: int = 1) -> TemplateMorph:
    torch.manual_seed(0)
    size = (12, 20, 18)[:dims]
    network = TemplateMorph(dims, size, attributes=attributes, **SMALL)  # type: ignore[arg-type]
    with torch.no_grad():
        network.template.copy_(torch.rand(1, 1, *size))
        if network.shape:
            torch.nn.init.normal_(network.shape.head.weight, std=0.3)
    return network


@pytest.mark.parametrize("dims", [2, 3])
def test_attributes_of_0_are_the_template_itself_and_others_move_it(dims: int) -> None:
    network = random_network(dims)
    with torch.no_grad():
        templates = network.template_of(torch.tensor([[0.0], [2.0]]))
    assert torch.allclose(templates[:1], network.template, atol=1e-5)
    assert (templates[1:] - network.template).abs().max() > 0.05


def test_an_untrained_template_is_the_same_for_all_attributes() -> None:
    network = TemplateMorph(2, (12, 20), attributes=2, **SMALL)  # type: ignore[arg-type]
    network.template.data.normal_()
    assert torch.allclose(network.template_of(torch.tensor([[3.0, -1.0]])), network.template, atol=1e-5)


def test_a_template_without_attributes_needs_none() -> None:
    network = random_network(2, attributes=0)
    assert torch.equal(network.template_of(torch.zeros(3, 0)), network.template.expand(3, -1, -1, -1))
    with pytest.raises(ValueError, match="attributes"):
        network.shape_velocity(torch.zeros(1, 0))
