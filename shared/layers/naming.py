"""Modules around a network whose weights keep the names that they have in the network alone, as model.pt has them."""

from functools import partial
from typing import Any

from torch import nn


def name_as_part(module: nn.Module, part: str) -> None:
    """Leave `part` out of the names in the state dict of `module`, for all that is of its child of that name.

    So a network, its learner and its running average take each other's state dicts, and that of model.pt. A state dict
    with `part` in its names is loaded as well. Where the child has a part of that name itself, it cannot be told apart.
    """
    start = f"{part}."
    module.register_state_dict_post_hook(partial(_shorten, start))  # type: ignore[no-untyped-call]
    module.register_load_state_dict_pre_hook(partial(_lengthen, start))  # type: ignore[no-untyped-call]


def _shorten(start: str, module: nn.Module, state: dict[str, Any], prefix: str, *_: object) -> None:
    for name in [name for name in state if name.startswith(prefix + start)]:
        state[prefix + name.removeprefix(prefix + start)] = state.pop(name)


def _lengthen(start: str, module: nn.Module, state: dict[str, Any], prefix: str, *_: object) -> None:
    own = {prefix + name for name, _ in (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False))}
    for name in [name for name in state if name.startswith(prefix) and name not in own]:
        rest = name.removeprefix(prefix)
        if not rest.startswith(start):
            state[prefix + start + rest] = state.pop(name)
