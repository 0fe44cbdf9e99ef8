"""Networks in another precision, or watched."""

import pytest
import torch
from torch import Tensor, nn

from shared.benchmarks.wraps import InPrecision, Watched


@pytest.mark.parametrize("lower", [True, False])
def test_a_precision_holds_whatever_it_is_called_under(lower: bool) -> None:
    computed: list[torch.dtype] = []

    class Convolving(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Conv2d(1, 2, 3)

        def forward(self, image: Tensor) -> Tensor:
            out: Tensor = self.layer(image)
            computed.append(out.dtype)
            return out

    network = InPrecision(Convolving(), lower)
    with torch.autocast("cpu", torch.bfloat16, enabled=not lower):
        assert network(torch.ones(1, 1, 8, 8)).dtype == torch.float32
    assert computed == [torch.bfloat16 if lower else torch.float32]


def test_a_watched_network_remembers_the_first_image_and_autocast() -> None:
    network = Watched(lambda image: image + 1)
    with torch.autocast("cpu", torch.bfloat16):
        assert network(torch.zeros(1, 1, 2)).sum() == 2
    network(torch.ones(1, 1, 2))
    (image,) = network.images
    assert image.sum() == 0
    assert network.bfloat16
