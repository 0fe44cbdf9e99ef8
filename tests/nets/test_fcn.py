"""FCN adds what its deepest levels answer."""

import pytest
import torch
from torch import nn

from shared.nets.fcn import FCN


@pytest.mark.parametrize(("dims", "levels"), [(2, 5), (3, 4), (2, 2)])
def test_logits_are_the_sum_of_the_answers_of_the_three_deepest_levels(dims: int, levels: int) -> None:
    """Of heads that answer the same everywhere, whatever they see."""
    network = FCN(dims, 1, 2, filters=[2] * levels).eval()
    for number, head in enumerate(network.heads):
        nn.init.zeros_(head.get_parameter("weight"))
        nn.init.constant_(head.get_parameter("bias"), 10.0**number)
    logits = network(torch.rand(1, 1, *[19, 21, 18][:dims]))
    torch.testing.assert_close(logits, torch.full_like(logits, 111.0 if levels > 2 else 11.0))


def test_an_answer_lies_where_it_was_seen() -> None:
    torch.manual_seed(0)
    network, image = FCN(2, 1, 1, filters=[4, 4, 4, 4]).eval(), torch.zeros(1, 1, 64, 64)
    changed = image.clone()
    changed[..., 10:14, 50:54] = 1
    difference = (network(changed) - network(image))[0, 0].detach().abs()
    rows, columns = (difference.sum(axis) for axis in (1, 0))
    places = torch.arange(64)
    centre = [float((weights * places).sum() / weights.sum()) for weights in (rows, columns)]
    assert centre == pytest.approx([11.5, 51.5], abs=4)  # the deepest level's pixels are 8 wide
