"""A network run over an image at the magnification that it knows."""

from typing import Any

import torch
from monai.inferers import Inferer
from torch import Tensor

from shared.engine.inferers import Network
from shared.errors import InputError
from shared.images.file import PIXEL_SIZE
from shared.images.magnifying import AUTO, Magnification
from shared.images.pixels import MOST_PIXELS
from shared.images.resizing import resized


class MagnifiedInferer(Inferer):
    """Run `inferer` over one image (1, C, *S), enlarged as `magnification` says: what it gives, on the image's grid.

    Maps (1, K, *S') come back as (1, K, *S), linear between pixels. The size of pixels is in the image's meta data.
    Raises InputError where the enlarged image would not fit into memory, or objects are to be found by themselves.
    """

    def __init__(self, inferer: Inferer, magnification: Magnification) -> None:
        if magnification.is_estimated:
            raise InputError(
                "--diameter", expected="a number of pixels", got=f"{AUTO}, which needs single objects",
                fix="measure one, or give --pixel_size",
            )  # fmt: skip
        self.inferer = inferer
        self.magnification = magnification

    def __call__(self, inputs: Tensor, network: Network, *args: object, **kwargs: object) -> Tensor:
        size = list(inputs.shape[2:])
        factor = self.magnification.factor(size, pixel_size_of(inputs))
        enlarged = [max(1, round(length * factor)) for length in size]
        if enlarged == size:
            return self.inferer(inputs, network, *args, **kwargs)
        if enlarged[0] * enlarged[1] > MOST_PIXELS:
            raise InputError(
                f"an image of {size[1]} × {size[0]}", got=f"{enlarged[1]} × {enlarged[0]}",
                expected=f"at most {MOST_PIXELS / 1e6:.0f} million pixels once enlarged",
                fix="correct --diameter or --pixel_size, or cut it",
            )  # fmt: skip
        return _on_grid(self.inferer(_on_grid(inputs, enlarged), network, *args, **kwargs), size)


def pixel_size_of(inputs: Tensor) -> float | None:
    """The size of pixels, in µm, that a tensor (1, C, *S) has in its meta data; None where there is none."""
    size = getattr(inputs, "meta", {}).get(PIXEL_SIZE)
    return None if size is None else float(torch.as_tensor(size).reshape(-1)[0])


def _on_grid(maps: Any, size: list[int]) -> Tensor:
    return torch.from_numpy(resized(maps[0].cpu().numpy(), size))[None].to(maps.device)
