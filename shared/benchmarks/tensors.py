"""What every method in torch shares."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from shared.benchmarks.methods import Runs, Subject


def image_of(subject: Subject) -> Tensor:
    """The image on its device; torch has the subject's number of threads from here on."""
    torch.set_num_threads(subject.threads)
    return torch.from_numpy(subject.image).to(subject.device)


def repeat(image: Tensor, count: int) -> Tensor:
    """A batch of `count` of one image (1, C, *S)."""
    return image.repeat(count, *[1] * (image.ndim - 1))


def memory_format(dims: int, channels_last: bool) -> torch.memory_format:
    """Of images of `dims` axes, (B, C, *S)."""
    if not channels_last:
        return torch.contiguous_format
    return torch.channels_last if dims == 4 else torch.channels_last_3d


def settle(device: str) -> None:
    """Wait until a GPU has done what it was asked for."""
    if device == "cuda":
        torch.cuda.synchronize()


def without_gradients(single: Callable[..., object], batch: Callable[..., object] | None = None) -> Runs:
    no_grad = torch.no_grad()
    return Runs(no_grad(single), batch and no_grad(batch))


def alone(network: Callable[..., object], *images: Tensor, count: int) -> Runs:
    """A network by itself, on one image or what else it takes, and on a batch of `count`."""
    return without_gradients(partial(network, *images), partial(network, *(repeat(image, count) for image in images)))
