from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from shared.layers.plain import PlainBlock, PlainSkip


@pytest.mark.parametrize(("size", "convolve"), [((5, 6), F.conv2d), ((3, 4, 5), F.conv3d)])
def test_a_block_without_norm_is_two_padded_convolutions_each_rectified(
    size: tuple[int, ...], convolve: Callable[..., Tensor]
) -> None:
    block = PlainBlock(len(size), 2, filters=3, norm=None).double()
    w1, b1, w2, b2 = block.parameters()
    x = torch.randn(2, 2, *size, dtype=torch.float64)
    expected = convolve(convolve(x, w1, b1, padding=1).relu(), w2, b2, padding=1).relu()
    assert w1.shape[2:] == w2.shape[2:] == (3,) * len(size)
    assert block(x).shape == (2, block.out_channels, *size)
    torch.testing.assert_close(block(x), expected, rtol=0, atol=1e-12)  # sums of at most 81 terms near 1


def test_a_normalised_block_has_no_bias_that_the_norm_would_take_away_again() -> None:
    block = PlainBlock(2, 1, filters=4, norm="batch")
    torch.manual_seed(0)
    convs = [m for m in block.modules() if isinstance(m, nn.Conv2d)]
    assert [conv.bias for conv in convs] == [None, None]
    # Normalised, then rectified: of values around 0 about half become 0, never all and never none.
    zeros = (block(torch.randn(4, 1, 16, 16)) == 0).float().mean(dim=(0, 2, 3))
    assert ((zeros > 0.2) & (zeros < 0.8)).all()


def test_a_plain_skip_hands_on_the_very_tensor() -> None:
    skip = PlainSkip(3, 7, filters=2, length=4, norm="batch", act="relu")
    x = torch.rand(1, 7, 2, 2, 2)
    assert skip(x) is x
    assert skip.out_channels == 7
    assert not list(skip.parameters())
