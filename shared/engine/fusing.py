"""A copy of a network that is faster in inference on a CPU; the network itself stays as it is, to train or be saved."""

from copy import deepcopy

import torch
from torch import nn

from shared.layers.fused import CONVOLUTIONS, fuse_sequences
from shared.layers.fused_multires import fuse_multires


def fused(network: nn.Module) -> nn.Module:
    """A copy whose batch norms, sums and activations are parts of its convolutions; equal but for rounding.

    It is the network itself where that is not on a CPU, or has no convolutions: one that runs elsewhere than in torch.
    """
    on_cpu = all(parameter.device.type == "cpu" for parameter in network.parameters())
    if not (on_cpu and any(isinstance(module, CONVOLUTIONS) for module in network.modules())):
        return network
    copy = deepcopy(network).eval()
    with torch.no_grad():
        fuse_multires(copy)
        fuse_sequences(copy)
    return copy


class FusedNetwork:
    """Keeps `copy`, a fused copy of `network`."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.copy = network
        self.versions: list[int] = []

    def update(self) -> None:
        """Make `copy` anew where a parameter or a running mean of `network` has been written since the last time."""
        versions = [tensor._version for tensor in (*self.network.parameters(), *self.network.buffers())]
        if versions != self.versions:
            self.copy, self.versions = fused(self.network), versions
