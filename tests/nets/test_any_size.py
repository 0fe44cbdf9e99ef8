"""A network that takes some sizes only, over all."""

import pytest
import torch
import torch.nn.functional as F
from monai.networks.nets import SegResNet
from torch import Tensor, nn

from shared.nets.any_size import AnySize


class Doubled(nn.Module):
    """Twice the image; of sizes that divide by 4 alone."""

    def forward(self, x: Tensor) -> Tensor:
        if any(s % 4 for s in x.shape[2:]):
            raise ValueError(x.shape)
        return 2 * x


@pytest.mark.parametrize("size", [(8, 12), (7, 13), (1, 4), (5, 9, 11)])
def test_each_pixel_stays_in_its_place(size: tuple[int, ...]) -> None:
    image = torch.rand(2, 1, *size)
    torch.testing.assert_close(AnySize(Doubled(), multiple=4)(image), 2 * image, rtol=0, atol=0)


def test_beyond_the_border_the_network_sees_the_border_repeated() -> None:
    torch.manual_seed(0)
    network = SegResNet(2, 8, 1, 2).eval()  # which halves the size three times
    image = torch.rand(1, 1, 13, 16)
    with torch.no_grad():
        expected = network(F.pad(image, (0, 0, 0, 3), mode="replicate"))[..., :13, :]
        torch.testing.assert_close(AnySize(network, multiple=8)(image), expected, rtol=0, atol=0)
