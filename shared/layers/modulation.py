"""Features that depend on a number besides their image: what a network of many regularities, or ages, is made of."""

import torch
from torch import Tensor, nn

HIDDEN = 16  # units between the number and what it changes


class Modulated(nn.Module):
    """`block`, whose output channels are scaled and shifted by what `amount`, a number around 0 to 1, makes of them.

    The amount is set as an attribute before each call. Untrained, it changes nothing.
    Source: Perez et al., FiLM, AAAI 2018. Differs: the number's features are of each block's own.
    """

    def __init__(self, block: nn.Module, channels: int) -> None:
        super().__init__()
        self.block = block
        self.amount = 0.5
        self.hidden = nn.Linear(1, HIDDEN)
        self.changes = nn.Linear(HIDDEN, 2 * channels)
        nn.init.zeros_(self.changes.weight)
        nn.init.zeros_(self.changes.bias)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.block(x)
        number = self.hidden.weight.new_full((1, 1), 2 * self.amount - 1)
        changes = self.changes(torch.relu(self.hidden(number))).reshape(2, 1, -1, *[1] * (out.ndim - 2)).to(out.dtype)
        return out * (1 + changes[0]) + changes[1]


def modulate(blocks: nn.ModuleList) -> list[Modulated]:
    """Put a `Modulated` around each of `blocks`, which have `out_channels`; they are returned."""
    made = [Modulated(block, int(block.out_channels)) for block in blocks]  # type: ignore[arg-type]
    for index, block in enumerate(made):
        blocks[index] = block
    return made
