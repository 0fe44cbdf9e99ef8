"""An instance network run over a tensor: see `tiling`."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from monai.inferers import Inferer
from monai.utils import convert_to_tensor
from torch import Tensor

from shared.engine.inferers import computes_in_bfloat16
from shared.engine.magnified import pixel_size_of
from shared.nets.mask_rcnn import Instances
from shared.tasks.instances.tiling import Tiling


class TiledInstances(Inferer):
    """Find the instances of one image (1, C, *S) of any size, whole or in tiles of at most `roi_size`.

    options: those of `Tiling`; the size of pixels is in the meta data of the image. bfloat16: run the network in it
    where the device has instructions for it.
    Raises InputError where `Tiling` does.
    Returns {"ids": (1, 1, *S), int32, 0 the background, 1 … N the surest first; "scores" and "labels": (1, N)}.
    """

    def __init__(self, roi_size: Sequence[int], *, bfloat16: bool = False, **options: Any) -> None:
        self.tiling = Tiling(roi_size=list(roi_size), **options)
        self.bfloat16 = bfloat16

    def __call__(
        self, inputs: Tensor, network: Callable[..., Instances], *args: object, **kwargs: object
    ) -> dict[str, Tensor]:
        if len(inputs) != 1:
            raise ValueError(f"expected one image at a time, got {len(inputs)}")
        device = inputs.device
        lower = self.bfloat16 and computes_in_bfloat16(device)

        def run(image: np.ndarray) -> list[np.ndarray]:
            with torch.autocast(device.type, torch.bfloat16, enabled=lower):
                found = network(torch.from_numpy(image).to(device), *args, **kwargs)
            return [values.float().cpu().numpy() for values in found[:4]]

        image = convert_to_tensor(inputs, track_meta=False)[0].cpu().numpy()
        ids, kept = self.tiling(image, run, pixel_size_of(inputs))
        return {
            "ids": torch.as_tensor(ids)[None, None],
            "scores": torch.tensor([[piece.score for piece in kept]], dtype=torch.float32),
            "labels": torch.tensor([[piece.label for piece in kept]], dtype=torch.long),
        }
