"""RevUNet keeps less than U-Net for the way back, and its gradients are right through all of it."""

from functools import partial

import torch

from shared.nets.rev_unet import RevUNet
from shared.nets.unet import UNet
from tests.running import kept_bytes


def test_it_keeps_less_than_two_thirds_of_what_a_u_net_of_the_same_filters_keeps() -> None:
    """With five convolutions in a block for two."""
    image = torch.rand(1, 1, 64, 64)
    reversible, plain = (kept_bytes(partial(kind(2, 1, 2, filters=(8, 16, 32)), image)) for kind in (RevUNet, UNet))
    assert reversible < 2 / 3 * plain


def test_gradients_are_those_of_finite_differences() -> None:
    torch.manual_seed(0)
    network = RevUNet(2, 1, 2, filters=(4, 8), norm="instance", act="mish").double()
    image = torch.randn(1, 1, 5, 6, dtype=torch.float64, requires_grad=True)
    parameters = tuple(network.parameters())
    assert torch.autograd.gradcheck(lambda x, *_: network(x), (image, *parameters), fast_mode=True)
