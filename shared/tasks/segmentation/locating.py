"""Where the hippocampi of a whole head are, by a small network at a coarse resolution."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import ndimage
from torch import nn

from shared.engine.weights import load_weights
from shared.images.resizing import resized
from shared.nets.halved_unet import HalvedUNet
from shared.tasks.segmentation.grids import upright_size
from shared.tasks.segmentation.posteriors import keep_largest_parts, keep_what_is_near

NEAR_MM = 10.0  # how far from the brain its CSF may be; see `restoring.NEAR_MM`
# Hippocampi have 2.9 to 6.9 ml in every head at hand, blurred up to twice as much; their middles are some 50 mm apart.
VOLUME_MM3 = (1000.0, 16000.0)
APART_MM = (30.0, 90.0)


@dataclass(frozen=True)
class Places:
    """The middles of the left and the right hippocampus, in voxels of the volume, and how large they are."""

    centres: tuple[np.ndarray, np.ndarray]
    volumes_mm3: tuple[float, float]


class Locator:
    """Find both hippocampi in upright volumes, by a HalvedUNet.

    network: its options. weights: its file, which is read when the first head is seen. pixdim: about how large its
    voxels are, in mm. sides: the classes that are the left and the right hippocampus. scattered: classes that may be in
    several parts. Raises InputError where the file cannot be used.
    """

    def __init__(
        self,
        *,
        weights: str | Path,
        pixdim: Sequence[float],
        sides: Sequence[int],
        scattered: Sequence[int] = (),
        device: str | torch.device = "cpu",
        **network: Any,
    ) -> None:
        self.network = network
        self.weights = weights
        self.pixdim = list(pixdim)
        self.sides = list(sides)
        self.scattered = {0, *scattered}
        self.device = device

    def __call__(self, volume: np.ndarray, spacing: Sequence[float]) -> Places | None:
        """Both places in `volume` (*S), whose axes lead to the right, front and top, of voxels of `spacing` mm.

        None where it shows no two hippocampi.
        """
        size = upright_size(volume.shape, spacing, self.pixdim)
        coarse = scaled_to_one(resized(volume[None], size))
        with torch.no_grad():
            logits = self._ready(torch.from_numpy(coarse)[None].to(self.device))
        probabilities = logits[0].float().softmax(dim=0).cpu().numpy()
        voxel = np.multiply(spacing, np.divide(volume.shape, size))
        keep_largest_parts(probabilities, but=self.scattered)
        keep_what_is_near(probabilities, within=NEAR_MM, spacing=voxel.tolist(), but=self.scattered)
        sizes = (probabilities.sum(axis=(1, 2, 3)) * np.prod(voxel)).tolist()
        left, right = self.sides
        if not all(VOLUME_MM3[0] <= sizes[side] <= VOLUME_MM3[1] for side in self.sides):
            return None
        centres = [np.array(ndimage.center_of_mass(probabilities[side])) for side in self.sides]
        across = (centres[1] - centres[0]) * voxel
        if across[0] < APART_MM[0] or np.linalg.norm(across) > APART_MM[1]:
            return None
        scale = np.divide(volume.shape, size)
        fine = [(centre + 0.5) * scale - 0.5 for centre in centres]
        return Places((fine[0], fine[1]), (sizes[left], sizes[right]))

    @cached_property
    def _ready(self) -> nn.Module:
        network = HalvedUNet(spatial_dims=3, in_channels=1, **self.network)
        return load_weights(network.to(self.device), self.weights).eval()


def scaled_to_one(image: np.ndarray) -> np.ndarray:
    """`image` with its 0.5 and 99.5 percentiles at 0 and 1, and clipped there."""
    low, high = np.percentile(image, (0.5, 99.5))
    return np.clip((image - low) / max(high - low, 1e-6), 0, 1).astype(np.float32)
