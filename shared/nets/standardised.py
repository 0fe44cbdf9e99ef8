"""A network that takes its input to zero mean and unit variance itself, for formats that cannot say that it is done."""

from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

SMALLEST = 1e-6  # a standard deviation below it is of rounding alone, in images scaled to 0 to 1


def standardise(image: Tensor) -> Tensor:
    """Each channel of each image of (B, C, *S) with zero mean and unit variance; a constant one is 0.

    The same as MONAI's `NormalizeIntensity(channel_wise=True)` of each image.
    """
    axes = tuple(range(2, image.ndim))
    centred = image - image.mean(dim=axes, keepdim=True)
    deviation = centred.square().mean(dim=axes, keepdim=True).sqrt()
    return centred / torch.where(deviation > SMALLEST, deviation, 1.0)


def standardising(network: nn.Module) -> nn.Module:
    """`network`, which from now on sees `standardise` of its input; its state dict stays as it is."""
    network.register_forward_pre_hook(lambda _, inputs: (standardise(*inputs),))
    return network


def build_network(target: str, *, standardised: bool = False, **arguments: Any) -> nn.Module:
    """The network whose class or function is called `target`, such as shared.nets.unet.UNet, of `arguments`.

    standardised: make it `standardising`.
    """
    module, _, name = target.rpartition(".")
    network = getattr(import_module(module), name)(**arguments)
    return standardising(network) if standardised else network
