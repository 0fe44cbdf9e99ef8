"""One run in several processes, as torchrun starts them: who does what, and how they bring it together."""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from shared.errors import InputError

T = TypeVar("T")


def group() -> Any:
    """The module torch.distributed where this process is one of a group, else None; torch is not imported for it."""
    dist = sys.modules.get("torch.distributed")
    return dist if dist is not None and dist.is_initialized() else None


def is_first_process() -> bool:
    """Whether this is the process that writes: the only one, or rank 0 of several."""
    dist = group()
    return dist is None or dist.get_rank() == 0


def own_share(items: Sequence[T]) -> list[T]:
    """The items that are this process's to do: every one, or every n-th of n processes."""
    dist = group()
    return list(items[dist.get_rank() :: dist.get_world_size()] if dist else items)


def merged(mapping: Mapping[str, T]) -> dict[str, T]:
    """What all processes have in their mappings; waits until each has called this."""
    dist = group()
    if dist is None:
        return dict(mapping)
    gathered: list[Mapping[str, T]] = [{}] * dist.get_world_size()
    dist.all_gather_object(gathered, dict(mapping))
    return {key: value for part in gathered for key, value in part.items()}


def in_first_process(action: Callable[[], object]) -> None:
    """Let the first process do `action` while the others wait; every process calls this. Its InputError is all's."""
    errors: list[InputError | None] = [None]
    dist = group()
    if is_first_process():
        try:
            action()
        except InputError as error:
            errors = [error]
    if dist:
        dist.broadcast_object_list(errors, src=0)
    if errors[0] is not None:
        raise errors[0]
