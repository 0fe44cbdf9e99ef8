"""A detector run over tensors: see `letterbox`."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.inferers import Inferer
from monai.transforms import MapTransform
from monai.utils import convert_to_tensor
from torch import Tensor

from shared.engine.inferers import computes_in_bfloat16
from shared.engine.magnified import pixel_size_of
from shared.samples import Sample
from shared.tasks.detection.letterbox import Letterbox, kept_once


class LetterboxInferer(Inferer):
    """Detect in images (B, C, *S), S = (rows, columns) of any size: (B, 4 + classes, N), corners in pixels of S.

    options: those of `Letterbox`; the size of pixels is in the meta data of the images. bfloat16: run the network in it
    where the processor has instructions for it; boxes are then off by a pixel at most.
    """

    def __init__(self, *, bfloat16: bool = False, **options: Any) -> None:
        self.letterbox = Letterbox(**options)
        self.bfloat16 = bfloat16

    def __call__(self, inputs: Tensor, network: Callable[..., Tensor], *args: object, **kwargs: object) -> Tensor:
        device = inputs.device
        lower = self.bfloat16 and computes_in_bfloat16(device)

        def run(image: np.ndarray) -> np.ndarray:
            with torch.autocast(device.type, torch.bfloat16, enabled=lower):
                found = network(torch.from_numpy(image).to(device), *args, **kwargs)
            return found.float().cpu().numpy()

        images = convert_to_tensor(inputs, track_meta=False).cpu().numpy()
        found = [self.letterbox(image, run, pixel_size_of(inputs)) for image in images]
        return torch.from_numpy(np.stack(found)).to(device)


class Suppressd(MapTransform):
    """Of what a detector found, (4 + classes, N), keep each object once: (K, 6), surest first.

    See `kept_once`, whose options these are; the boxes are cut to the image of `image_key`.
    """

    def __init__(
        self, keys: KeysCollection, *, min_score: float, overlap: float, most: int, image_key: str = "image"
    ) -> None:
        super().__init__(keys)
        self.limits: Any = {"min_score": min_score, "overlap": overlap, "most": most}
        self.image_key = image_key

    def __call__(self, data: Sample) -> Sample:
        out = dict(data)
        for key in self.key_iterator(out):
            found = convert_to_tensor(out[key], track_meta=False)
            rows = kept_once(found.float().cpu().numpy(), out[self.image_key].shape[1:], **self.limits)
            out[key] = torch.from_numpy(rows).to(found.device)
        return out
