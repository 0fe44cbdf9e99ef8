"""Pairs of synthetic images, each of another head in another contrast, as a registration learns from them."""

import torch
from torch import Tensor

from shared.synthesis.dataset import SyntheticDataset


class SyntheticPairs(SyntheticDataset):
    """`samples` pairs an epoch: {"image": (2, *size) of 0 to 1, "label": (2, *size) classes}, moving and fixed.

    Both are drawn alone, from any of the maps, so that neither shape nor contrast of the one says a thing of the other.
    The rest is as of `SyntheticDataset`.
    Source: Hoffmann et al., SynthMorph, IEEE TMI 41, 2022.
    """

    def _transform(self, index: int) -> dict[str, Tensor]:
        images = [super(SyntheticPairs, self)._transform(2 * index + side) for side in range(2)]
        return {key: torch.cat([image[key] for image in images]) for key in ("image", "label")}
