"""What of a network goes into an ONNX file, and what its inputs and outputs are called.

A form is a module of float32 tensors (B, C, *S) around `network`, or around none; a bundle's configs list those that it
has as `onnx_forms`, the first being the one that `--runtime onnx` runs.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import ClassVar

from torch import Tensor, nn

Outputs = Tensor | tuple[Tensor, ...]  # of a network


class Form(nn.Module):
    """A network as it is: "image" to "pred"."""

    inputs: ClassVar[tuple[str, ...]] = ("image",)
    outputs: ClassVar[tuple[str, ...]] = ("pred",)
    meanings: ClassVar[dict[str, str]] = {}  # of outputs that are not what metadata.json has as "pred"
    translations: ClassVar[dict[Callable, Callable]] = {}  # of operations of our own into ONNX
    is_whole: ClassVar[bool] = True  # whether it is all that the network does, so that onnxruntime can stand in for it

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = deepcopy(network).eval()  # so that a form may change it

    def forward(self, image: Tensor) -> Outputs:
        return self.network(image)

    @staticmethod
    def of_outputs(outputs: Sequence[Tensor]) -> Outputs:
        """What the network would have given, of the file's outputs."""
        (out,) = outputs
        return out

    def examples(self, images: Sequence[Tensor]) -> list[tuple[Tensor, ...]]:
        """Inputs to compare the file with torch by, made of `images` like those that the network sees."""
        return [(image,) for image in images]

    def in_half(self) -> "Form":
        """The same with a network that computes in half precision."""
        self.network = HalfInside(self.network)
        return self


class HalfInside(nn.Module):
    """`network` in half precision, taking and giving float32; what it casts to float32 itself (boxes, places) stays."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.half()

    def forward(self, image: Tensor) -> Outputs:
        out = self.network(image.half())
        if isinstance(out, Tensor):
            return out.float()
        return out._make(x.float() if x.is_floating_point() else x for x in out)


def settings_sha256(network: nn.Module) -> str:
    """A digest of what a network is besides its weights: its modules, and their numbers and words."""
    plain = (bool, int, float, str, tuple, list)
    settings = [
        (
            name,
            type(module).__name__,
            {k: v for k, v in vars(module).items() if isinstance(v, plain) and k != "training"},
        )
        for name, module in network.named_modules()
    ]
    return hashlib.sha256(json.dumps(settings, default=str, sort_keys=True).encode()).hexdigest()
