"""A network in another precision, compiled, as a CUDA graph, or watched."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

Network = Callable[..., Any]


class InPrecision:
    """A network under autocast to bfloat16, or under none, whatever it is called under; gives float32."""

    def __init__(self, network: Network, bfloat16: bool) -> None:
        self.network = network
        self.bfloat16 = bfloat16

    def __call__(self, *images: Tensor) -> Any:
        with torch.autocast(images[0].device.type, torch.bfloat16, enabled=self.bfloat16):
            output = self.network(*images)
        return output.float() if isinstance(output, Tensor) else output


class Replayed:
    """A network as a CUDA graph, one for images of the shape that it is called with.

    The casts of autocast are captured with it, so that they must not come from its cache.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.graphs: dict[torch.Size, tuple[torch.cuda.CUDAGraph, Tensor, object]] = {}

    def __call__(self, image: Tensor) -> object:
        if image.shape not in self.graphs:
            self.graphs[image.shape] = self._capture(image)
        graph, buffer, output = self.graphs[image.shape]
        buffer.copy_(image)
        graph.replay()
        return output

    def _capture(self, image: Tensor) -> tuple[torch.cuda.CUDAGraph, Tensor, object]:
        buffer, graph, stream = image.clone(), torch.cuda.CUDAGraph(), torch.cuda.Stream()
        lower = torch.is_autocast_enabled("cuda")
        with torch.autocast("cuda", torch.bfloat16, enabled=lower, cache_enabled=False):
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                for _ in range(3):  # what is chosen and allocated at first is not part of the graph
                    self.network(buffer)
            torch.cuda.current_stream().wait_stream(stream)
            with torch.cuda.graph(graph):
                output = self.network(buffer)
        return graph, buffer, output


def compiled(network: nn.Module) -> Network:
    """By torch.compile, for each shape by itself."""
    torch.compiler.reset()  # what was compiled before counts towards its limits
    return torch.compile(network, dynamic=False)


WRAPS: dict[str, Callable[[nn.Module], Network]] = {
    "eager": lambda network: network,
    "compiled": compiled,
    "replayed": Replayed,
}


class Watched:
    """A network that remembers the first image that it was shown, and whether autocast was on."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.images: list[Tensor] = []  # one, once it was called
        self.bfloat16 = False

    def __call__(self, image: Tensor, *args: object, **kwargs: object) -> Any:
        if not self.images:
            self.images, self.bfloat16 = [image.clone()], torch.is_autocast_enabled(image.device.type)
        return self.network(image, *args, **kwargs)
