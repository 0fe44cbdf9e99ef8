"""Convolutions that take in, for inference on a CPU, the batch norm and the activation that follow them."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from shared.layers.onednn import takes_onednn

CONVOLUTIONS = (nn.Conv2d, nn.Conv3d)
NORMS = (nn.BatchNorm2d, nn.BatchNorm3d)
SUMMED = {"none": None, "relu": "relu"}  # what torch 2.13 fuses behind a sum, in float32 for every shape


class Activation(NamedTuple):
    """What oneDNN calls an activation, and its numbers; `module` is what computes it elsewhere."""

    name: str
    numbers: list[float]
    module: Callable[[Tensor], Tensor]


class FusedConvolution(nn.Module):
    """act(conv(x) + other) in one pass over the memory; of (B, C, *S), 2D and 3D, without gradients of its parameters.

    conv: with zeros as padding, given as numbers. norm: a batch norm behind it, in whose place weights and bias change.
    scale, shift: (C), by which the channels are multiplied before the activation, and what is added then.
    input_scale: (C of x), by which the channels of x have been multiplied already, which is undone.
    """

    weight: Tensor
    bias: Tensor
    lower_weight: Tensor
    lower_bias: Tensor

    def __init__(
        self,
        conv: nn.Conv2d | nn.Conv3d,
        *,
        norm: nn.Module | None = None,
        act: nn.Module | None = None,
        scale: Tensor | float = 1.0,
        shift: Tensor | float = 0.0,
        input_scale: Tensor | float = 1.0,
    ) -> None:
        super().__init__()
        normed, offset = scale_and_shift(norm) if norm is not None else (torch.ones(conv.out_channels), 0.0)
        bias = torch.zeros(conv.out_channels) if conv.bias is None else conv.bias.detach()
        bias = (bias * normed + offset) * scale + shift
        across = [1] * (conv.weight.ndim - 2)
        weight = conv.weight.detach() * (normed * scale).reshape(-1, 1, *across)
        weight = weight / torch.as_tensor(input_scale).reshape(1, -1, *across)
        layout = torch.channels_last if weight.ndim == 4 else torch.channels_last_3d
        for name, value in (("weight", weight.contiguous(memory_format=layout)), ("bias", bias)):
            self.register_buffer(name, value)
            self.register_buffer(f"lower_{name}", value.bfloat16())
        self.geometry: tuple[Any, ...] = (list(conv.padding), list(conv.stride), list(conv.dilation), conv.groups)
        self.act = activation_of(act)

    def forward(self, x: Tensor, other: Tensor | None = None) -> Tensor:
        lower = torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") is torch.bfloat16
        weight, bias = (self.lower_weight, self.lower_bias) if lower else (self.weight, self.bias)
        with torch.autocast("cpu", enabled=False):
            x = x.to(weight.dtype)
            if (torch.is_grad_enabled() and x.requires_grad) or not (lower or takes_onednn(x)):
                return self._in_steps(x, other, weight, bias)
            convolve, name = torch.ops.mkldnn._convolution_pointwise, self.act.name
            if other is None:
                return convolve(x, weight, bias, *self.geometry, name, self.act.numbers, "")
            if lower or name not in SUMMED:
                y = convolve(x, weight, bias, *self.geometry, "none", [], "")
                return self.act.module(y.add_(other))
            return convolve.binary(x, other, weight, bias, *self.geometry, "add", None, SUMMED[name], [], None)

    def _in_steps(self, x: Tensor, other: Tensor | None, weight: Tensor, bias: Tensor) -> Tensor:
        padding, stride, dilation, groups = self.geometry
        convolve = F.conv2d if weight.ndim == 4 else F.conv3d
        y = convolve(x, weight, bias, stride, padding, dilation, groups)
        return self.act.module(y if other is None else y + other)


def scale_and_shift(norm: nn.Module) -> tuple[Tensor, Tensor]:
    """What a batch norm multiplies by and adds to each channel, in evaluation: (C) and (C)."""
    mean, variance = norm.running_mean, norm.running_var
    scale = (variance + norm.eps).rsqrt()  # type: ignore[union-attr, operator]
    if norm.weight is not None:
        scale = scale * norm.weight.detach()  # type: ignore[operator]
    shift = -mean * scale  # type: ignore[operator]
    return scale, shift if norm.bias is None else shift + norm.bias.detach()  # type: ignore[operator]


def activation_of(act: nn.Module | None) -> Activation:
    """An activation that `can_take` takes, or none, as oneDNN has it."""
    if act is None:
        return Activation("none", [], nn.Identity())
    if isinstance(act, nn.LeakyReLU):
        return Activation("leaky_relu", [act.negative_slope], nn.LeakyReLU(act.negative_slope))
    return Activation("relu", [], F.relu) if isinstance(act, nn.ReLU) else Activation("swish", [], F.silu)


def can_take(conv: nn.Module, *, norm: nn.Module | None = None, act: nn.Module | None = None) -> bool:
    """Whether a `FusedConvolution` can stand for these three."""
    return (
        isinstance(conv, CONVOLUTIONS)
        and conv.padding_mode == "zeros"
        and not isinstance(conv.padding, str)
        and (norm is None or (isinstance(norm, NORMS) and norm.running_mean is not None))
        and (act is None or isinstance(act, nn.ReLU | nn.LeakyReLU | nn.SiLU))
    )


class _Place(NamedTuple):
    parent: nn.Module
    name: str
    module: nn.Module


def fuse_sequences(network: nn.Module) -> None:
    """Replace each convolution in a sequence, in place, by one that takes in what follows it; that becomes nothing.

    A sequence in a sequence is part of it; names stay.
    """
    for sequence in [m for m in network.modules() if _is_sequence(m)]:
        places = list(_places(sequence))
        while places:
            conv = places.pop(0)
            norm = places.pop(0) if places and can_take(conv.module, norm=places[0].module) else None
            act = places.pop(0) if places and can_take(conv.module, act=places[0].module) else None
            if not (norm or act):
                continue
            fused = FusedConvolution(
                conv.module,  # type: ignore[arg-type]
                norm=norm and norm.module,
                act=act and act.module,
            )
            setattr(conv.parent, conv.name, fused)
            for place in (norm, act):
                if place:
                    setattr(place.parent, place.name, nn.Identity())


def _is_sequence(module: nn.Module) -> bool:
    return type(module).forward is nn.Sequential.forward


def _places(sequence: nn.Module) -> Iterator[_Place]:
    for name, module in sequence.named_children():
        if _is_sequence(module):
            yield from _places(module)
        else:
            yield _Place(sequence, name, module)
