"""Voxels go into channels and come back to their places."""

import pytest
import torch
import torch.nn.functional as F

from shared.layers.cells import gathered, spread


@pytest.mark.parametrize("cell", [[2, 2, 2], [2, 2, 1], [1, 1, 1]])
def test_what_is_gathered_is_spread_to_where_it_was(cell: list[int]) -> None:
    x = torch.rand(2, 3, 8, 6, 4)
    cells = gathered(x, cell)
    assert cells.shape[2:] == torch.Size(size // step for size, step in zip(x.shape[2:], cell))
    assert torch.equal(spread(cells, cell), x)


def test_pictures_are_gathered_as_torch_does() -> None:
    x = torch.rand(2, 3, 8, 6)
    assert torch.equal(gathered(x, [2, 2]), F.pixel_unshuffle(x, 2))
