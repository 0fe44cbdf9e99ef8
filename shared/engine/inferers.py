"""How a network is run over an image: whole or tiled, flipped, in lower precision."""

import math
from collections.abc import Callable, Sequence
from itertools import combinations, product
from typing import Any

import torch
from monai.inferers import Inferer, SimpleInferer, SlidingWindowInferer
from monai.utils import ensure_tuple_rep
from torch import Tensor

from shared.errors import InputError

Network = Callable[..., Any]


class TiledInferer(SlidingWindowInferer):
    """Run images up to `roi_size` whole, larger ones in overlapping tiles of that size.

    MONAI's sliding window pads a smaller image up to `roi_size`; this one shrinks the window instead, since the
    zoo's networks take any size.
    """

    def __call__(self, inputs: Tensor, network: Network, *args: Any, **kwargs: Any) -> Any:
        given = self.roi_size
        self.roi_size = [min(r, s) for r, s in zip(ensure_tuple_rep(given, inputs.ndim - 2), inputs.shape[2:])]
        try:
            return super().__call__(inputs, network, *args, **kwargs)
        finally:
            self.roi_size = given


class FlipInferer(Inferer):
    """Average the class probabilities over every combination of flips of `axes` (spatial, 0-based).

    transpose: also over the exchange of the first two axes; with flips of both, these are a square's 8 symmetries.
    Returns log-probabilities (B, C, *S), so that what follows may treat them as logits. With no axes the logits
    of `inferer` come back as they are. Raises ValueError where there is one channel only, InputError where `axes` are
    no axes of an image.
    """

    def __init__(self, inferer: Inferer, axes: Sequence[int] = (), transpose: bool = False) -> None:
        if any(axis not in (0, 1, 2) for axis in axes) or len(set(axes)) < len(axes):
            raise InputError("--flip_axes", expected="axes from 0 to 2, each once", got=axes, fix="correct the option")
        self.inferer = inferer
        self.transposes = (False, True) if transpose else (False,)
        self.flips = [[a + 2 for a in chosen] for count in range(len(axes) + 1) for chosen in combinations(axes, count)]

    def __call__(self, inputs: Tensor, network: Network, *args: object, **kwargs: object) -> Tensor:
        views = list(product(self.transposes, self.flips))
        if len(views) == 1:
            return self.inferer(inputs, network, *args, **kwargs)
        total = inputs.new_tensor(-math.inf)
        for transposed, axes in views:
            view = inputs.transpose(2, 3) if transposed else inputs
            logits = self.inferer(view.flip(axes), network, *args, **kwargs).flip(axes)
            if logits.shape[1] == 1:
                raise ValueError("expected logits of two or more classes, got one channel, of which softmax makes 1")
            logits = logits.transpose(2, 3) if transposed else logits
            total = torch.logaddexp(total, logits.log_softmax(dim=1))  # one map at a time, however large
        return total - math.log(len(views))


class AutocastInferer(SimpleInferer):
    """Run the network in bfloat16 where its device computes in it natively, and return float32.

    So is each of a list or dictionary. The exponent of bfloat16 is that of float32, so training needs no loss scaling.
    """

    def __init__(self, enabled: bool = True) -> None:
        self.enabled = enabled

    def __call__(self, inputs: Tensor, network: Network, *args: Any, **kwargs: Any) -> Any:
        enabled = self.enabled and computes_in_bfloat16(inputs.device)
        with torch.autocast(inputs.device.type, torch.bfloat16, enabled=enabled):
            output = super().__call__(inputs, network, *args, **kwargs)
        if isinstance(output, dict):
            return {name: x.float() for name, x in output.items()}
        return [x.float() for x in output] if isinstance(output, list) else output.float()


def computes_in_bfloat16(device: torch.device) -> bool:
    """Whether `device` multiplies matrices in bfloat16, so that it is faster than float32 there.

    avx512_bf16 alone is not enough: its peak was measured at half that of float32 (164 and 328 GFLOP/s on two cores).
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return bool(torch.cpu.get_capabilities().get("amx_bf16"))
