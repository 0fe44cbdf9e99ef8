"""Pairs of functions that are undone on the way back: their inputs are computed from their outputs, not kept."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from shared.layers.recomputing import FrozenStatistics


class ReversiblePair(nn.Module):
    """Two halves of the channels, each of which changes the other: y1 = x1 + F(x2), y2 = x2 + G(y1).

    first, second: F and G, which keep the shape (B, C / 2, *S).
    Source: Gomez et al., The Reversible Residual Network, NIPS 2017, eq. 6.
    """

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first, self.second = first, second

    def forward(self, x1: Tensor, x2: Tensor) -> tuple[Tensor, Tensor]:
        y1 = x1 + self.first(x2)
        return y1, x2 + self.second(y1)


def run_pairs(pairs: nn.ModuleList, x: Tensor) -> Tensor:
    """What `ReversiblePair`s make of (B, C, *S), the one after the other; autograd keeps all of it."""
    x1, x2 = x.chunk(2, dim=1)
    for pair in pairs:
        x1, x2 = pair(x1, x2)
    return torch.cat([x1, x2], dim=1)


def run_undone(pairs: nn.ModuleList, x: Tensor) -> Tensor:
    """The same, of which autograd keeps the output alone; what is added to must be exact enough to be taken off."""
    output: Tensor = _Undone.apply(pairs, x, *_learned(pairs))  # type: ignore[no-untyped-call]
    return output


def is_cast(device: str) -> bool:
    """Whether operations on that kind of device are cast to a lower precision."""
    return torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)


class _Undone(torch.autograd.Function):
    """`run_pairs`, of which the output alone is kept; (pairs, x, *parameters of the pairs that learn)."""

    @staticmethod
    def forward(ctx: Any, pairs: nn.ModuleList, x: Tensor, *_: Tensor) -> Tensor:
        ctx.pairs, ctx.casting = pairs, _casting(x.device.type)
        with ctx.casting():
            output = run_pairs(pairs, x)
        ctx.save_for_backward(output)
        return output

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (output,) = ctx.saved_tensors
        halves, gradients = output.chunk(2, dim=1), gradient.chunk(2, dim=1)
        learned: list[Tensor] = []  # gradients of the parameters, in their order
        for pair in reversed(ctx.pairs):
            with ctx.casting(), FrozenStatistics(pair):
                halves, gradients, of_pair = _step_back(pair, halves, gradients)
            learned = [*of_pair, *learned]
        return None, torch.cat(gradients, dim=1), *learned


def _step_back(
    pair: ReversiblePair, outputs: tuple[Tensor, ...], gradients: tuple[Tensor, ...]
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...], list[Tensor]]:
    """Inputs of a pair, their gradients, and those of its parameters, from its outputs and their gradients.

    Source: Gomez et al. 2017, algorithm 1.
    """
    (y1, y2), (dy1, dy2) = outputs, gradients
    changed, through, of_second = _differentiated(pair.second, y1, dy2)
    x2, dz1 = y2 - changed, dy1 + through
    changed, through, of_first = _differentiated(pair.first, x2, dz1)
    return (y1 - changed, x2), (dz1, dy2 + through), [*of_first, *of_second]


def _differentiated(function: nn.Module, x: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor, Sequence[Tensor]]:
    """What `function` gives for `x`, and the gradients of `x` and of its parameters that learn."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        y = function(x)
    through, *learned = torch.autograd.grad(y, [x, *_learned(function)], gradient.to(y.dtype))
    return y.detach(), through, learned


def _learned(module: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in module.parameters() if parameter.requires_grad]


def _casting(device: str) -> Callable[[], AbstractContextManager]:
    """What sets autocast to what it is now, but for its cache: a weight that was cast without gradients has none."""
    if not is_cast(device):
        return nullcontext
    return partial(torch.autocast, device, torch.get_autocast_dtype(device), cache_enabled=False)
