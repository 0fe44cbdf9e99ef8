"""Padding holds for every size, also once it is recorded."""

import torch
import torch.nn.functional as F
from torch import Tensor

from shared.layers.padding import pad_to_multiple


def padded(x: Tensor) -> Tensor:
    return pad_to_multiple(x, 8)


def test_a_trace_pads_sizes_that_it_was_not_made_with() -> None:
    traced = torch.jit.trace(padded, torch.rand(1, 1, 16, 24))  # which needs no padding
    for rows, columns in ((16, 24), (17, 24), (9, 7)):
        x = torch.rand(2, 1, rows, columns)
        expected = F.pad(x, (0, -columns % 8, 0, -rows % 8), mode="replicate")
        torch.testing.assert_close(traced(x), expected, rtol=0, atol=0)
