import pytest
import torch
from torch import nn

from shared.layers.modulation import Modulated, modulate
from shared.layers.plain import PlainBlock


@pytest.mark.parametrize("dims", [2, 3])
def test_untrained_the_number_changes_nothing_and_the_gradient_reaches_what_it_changes(dims: int) -> None:
    block = nn.Identity()
    modulated = Modulated(block, 3)
    x = torch.rand(2, 3, *[4] * dims)
    assert torch.equal(modulated(x), x)
    modulated(x).square().sum().backward()
    assert modulated.changes.weight.grad is not None
    assert modulated.changes.weight.grad.abs().max() > 0


def test_each_channel_is_scaled_and_shifted_by_what_the_number_says() -> None:
    modulated = Modulated(nn.Identity(), 2)
    with torch.no_grad():
        modulated.hidden.weight.fill_(1.0)  # all hidden units are 2 · amount - 1, or 0 below the middle
        modulated.hidden.bias.zero_()
        modulated.changes.weight[:, 0] = torch.tensor([1.0, 2, 3, 4])
    x = torch.full((1, 2, 3, 3), 10.0)
    modulated.amount = 0.75
    scaled = torch.tensor([10 * 1.5 + 1.5, 10 * 2 + 2]).reshape(1, 2, 1, 1).expand(1, 2, 3, 3)
    torch.testing.assert_close(modulated(x), scaled)
    modulated.amount = 0.25
    assert torch.equal(modulated(x), x)


def test_blocks_are_replaced_in_their_places() -> None:
    blocks = nn.ModuleList([PlainBlock(2, 1, filters=4), PlainBlock(2, 4, filters=6)])
    before = [*blocks]
    made = modulate(blocks)
    assert [*blocks] == made
    assert [each.block for each in made] == before
    assert blocks[1](blocks[0](torch.rand(1, 1, 8, 8))).shape == (1, 6, 8, 8)
