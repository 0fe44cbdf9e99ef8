"""Convolutions of volumes by oneDNN, also those for which torch takes its slow kernel."""

from typing import TypeVar

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


class OneDnnConv3d(nn.Conv3d):
    """`nn.Conv3d`, computed by oneDNN on a CPU whatever its size: the same numbers but for rounding, gradients too.

    Torch asks oneDNN for a batch of one in float32 only where B · C · D · H is above 20,480, forgetting W, and for a
    kernel of 1 only on several threads; otherwise it copies the input once for each place of the kernel. Under
    autocast it asks oneDNN anyway, and an export or a compiler is to see an ordinary convolution.
    Source: `ConvParams::use_mkldnn` in torch 2.13's aten/src/ATen/native/Convolution.cpp.
    """

    def forward(self, input: Tensor) -> Tensor:
        plain = self.padding_mode == "zeros" and not isinstance(self.padding, str)
        if not (plain and input.ndim == 5 and takes_onednn(input) and takes_onednn(self.weight)):
            return super().forward(input)
        return torch.ops.aten.mkldnn_convolution(
            input, self.weight, self.bias, self.padding, self.stride, self.dilation, self.groups
        )


def takes_onednn(x: Tensor) -> bool:
    """Whether operations of oneDNN, called by name, may take `x`: not in exports, nor under autocast."""
    if torch.compiler.is_compiling():  # or exporting; first, since an export records what else it is asked of `x`
        return False
    return (
        x.device.type == "cpu"
        and x.dtype is torch.float32
        and torch.backends.mkldnn.is_available()
        and bool(torch.backends.mkldnn.enabled)
        and not torch.is_autocast_enabled("cpu")
        and not torch.jit.is_tracing()
    )


def convolve_by_onednn(network: Network) -> Network:
    """`network`, in which every `nn.Conv3d` has become a `OneDnnConv3d` with the parameters, names and hooks it had."""
    for module in network.modules():
        if type(module) is nn.Conv3d:
            module.__class__ = OneDnnConv3d
    return network
