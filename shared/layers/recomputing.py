"""Blocks that keep their input alone for the way back, and compute the rest again there."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from typing import Any, TypeVar

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from shared.layers.fused import CONVOLUTIONS

Network = TypeVar("Network", bound=nn.Module)


def recomputed(network: Network, *, enabled: bool = True) -> Network:
    """`network`, whose blocks in training keep their input alone: less memory for a second way there in each step.

    A block is the smallest module that runs two convolutions or more. Outputs, gradients and running statistics are
    what they were; `torch.compile` leaves the blocks out. Not to be done twice.
    Source: Chen et al., Training Deep Nets with Sublinear Memory Cost, 2016, arXiv:1604.06174; by torch's `checkpoint`.
    """
    if enabled:
        for block in dict.fromkeys(blocks(network)):
            block.__class__ = _recomputing(type(block))
    return network


def blocks(network: nn.Module) -> Iterator[nn.Module]:
    """The smallest modules below and including `network` that run two convolutions or more; one may come twice."""
    inner = [module for child in network.children() for module in blocks(child)]
    is_list = isinstance(network, nn.ModuleList | nn.ModuleDict)
    if inner or is_list or sum(isinstance(module, CONVOLUTIONS) for module in network.modules()) < 2:
        yield from inner
    else:
        yield network


class FrozenStatistics:
    """Within, the batch norms below `module` leave their running statistics as they are, also in training.

    It may be entered again, as the way back through one graph may be taken again.
    """

    def __init__(self, module: nn.Module) -> None:
        self.norms = [norm for norm in module.modules() if isinstance(norm, _BatchNorm)]

    def __enter__(self) -> None:
        self.before = [(norm.momentum, norm.num_batches_tracked) for norm in self.norms]
        for norm in self.norms:
            norm.momentum, norm.num_batches_tracked = 0.0, None

    def __exit__(self, *_: object) -> None:
        for norm, (momentum, counted) in zip(self.norms, self.before):
            norm.momentum, norm.num_batches_tracked = momentum, counted


def _recomputing(kind: type[nn.Module]) -> type[nn.Module]:
    """The class `kind` of a block, recomputed; it has the same name."""

    @torch.compiler.disable
    def forward(self: nn.Module, *inputs: Any, **named: Any) -> Any:
        run: Callable[..., Any] = partial(kind.forward, self)
        if not (self.training and torch.is_grad_enabled()):
            return run(*inputs, **named)
        return checkpoint(
            run, *inputs, use_reentrant=False, context_fn=lambda: (nullcontext(), FrozenStatistics(self)), **named
        )

    return type(kind.__name__, (kind,), {"forward": forward})
