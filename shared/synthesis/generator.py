"""From a label map to a synthetic image with the classes that a network shall find in it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import torch
from torch import Generator, Tensor

from shared.spatial.warping import voxel_coordinates
from shared.synthesis.acquiring import acquire
from shared.synthesis.artefacts import random_bias, random_gamma, random_view, scaled
from shared.synthesis.labels import Labels
from shared.synthesis.painting import random_contrast
from shared.synthesis.ranges import Ranges
from shared.synthesis.shape import random_affine, random_deformation, uniform


@dataclass(frozen=True)
class LabelMap:
    """indices: (*S), uint8, positions in `Labels.ids`. spacing: mm. centre: (D,), of what is to be shown, in voxels."""

    indices: Tensor
    spacing: float
    centre: Tensor


class Synthesiser:
    """Images of `size` voxels of `spacing` mm from label maps: (1, *size) of 0 to 1 and (1, *size) classes, uint8.

    Source: Billot et al., SynthSeg, Medical Image Analysis 86, 2023. Differs: the image is formed on its own grid, each
    voxel from several places of a finer label map, which costs a fraction of forming it on the map's grid.
    """

    def __init__(self, labels: Labels, *, size: Sequence[int], spacing: float, ranges: Ranges) -> None:
        self.labels = labels
        self.size = list(size)
        self.spacing = spacing
        self.ranges = ranges

    def widened(self, width: float) -> "Synthesiser":
        """With ranges `width` (0 to 1) as wide; see `Ranges`."""
        ranges = self.ranges.widened(width) if width < 1 else self.ranges
        return Synthesiser(self.labels, size=self.size, spacing=self.spacing, ranges=ranges)

    def __call__(self, label_map: LabelMap, rng: Generator) -> tuple[Tensor, Tensor]:
        """One sample on the device of `rng`, which is all that it depends on besides `label_map`."""
        indices, mirrored = self.random_shape(label_map, rng)
        image, classes = self.random_image(indices, rng), self.classes(indices[0], mirrored)
        view = (slice(None), *random_view(self.size, self.ranges, rng))
        shown = torch.zeros_like(classes, dtype=torch.bool)
        shown[view] = True
        return image * shown, classes * shown

    def random_shape(self, label_map: LabelMap, rng: Generator) -> tuple[Tensor, bool]:
        """(N, *size): positions in `Labels.ids` at the centre of each voxel (the first) and around it; and whether
        left is right."""
        dims, ranges = len(self.size), self.ranges
        mirrored = float(uniform(0, 1, [1], rng)) < ranges.flip
        matrix = random_affine(dims, ranges, rng) * (self.spacing / label_map.spacing)
        if mirrored:
            matrix[0] = -matrix[0]
        shift = uniform(-ranges.translation, ranges.translation, [dims], rng) / label_map.spacing
        moved = torch.stack(voxel_coordinates(random_deformation(self.size, self.spacing, ranges, rng)))[:, 0]
        middle = (torch.tensor(self.size, device=rng.device) - 1) / 2
        origin = label_map.centre.to(rng.device) + shift - matrix @ middle
        places = (matrix @ moved.flatten(1)).reshape(moved.shape) + origin.reshape(-1, *[1] * dims)
        around = torch.tensor([(0.0,) * dims, *_corners(dims)], device=rng.device)
        return torch.stack([_nearest(label_map.indices, places, matrix @ offset) for offset in around]), mirrored

    def random_image(self, indices: Tensor, rng: Generator) -> Tensor:
        """(1, *size): the labels of `random_shape` in a random contrast, as a random scan shows them."""
        contrast = random_contrast(self.labels, self.ranges, rng)
        image = _looked_up(contrast.means, indices[1:]).mean(dim=0)
        noise = torch.randn(image.shape, generator=rng, device=rng.device)
        image = image + _looked_up(contrast.deviations, indices[0]) * noise
        image = scaled(image * random_bias(self.size, self.spacing, self.ranges, rng))
        image = acquire(random_gamma(image, self.ranges, rng), self.spacing, self.ranges, rng)
        return scaled(image)[None]

    def classes(self, indices: Tensor, mirrored: bool) -> Tensor:
        """(1, *size), uint8: the class of each of `indices` (*size)."""
        positions = self.labels.mirrored if mirrored else slice(None)
        table = torch.as_tensor(self.labels.classes[positions], dtype=torch.uint8, device=indices.device)
        return _looked_up(table, indices)[None]


def _corners(dims: int) -> list[tuple[float, ...]]:
    """Places a quarter of a voxel from its centre along each axis, of which the mean is its centre; four of them."""
    corners = list(product((-0.25, 0.25), repeat=dims))
    return [c for c in corners if dims < 3 or math.prod(c) > 0]


def _nearest(indices: Tensor, places: Tensor, offset: Tensor) -> Tensor:
    """(*size): `indices` (*S) nearest to `places` (D, *size) + `offset` (D,); outside, those of the border."""
    flat = torch.zeros(places.shape[1:], dtype=torch.int32, device=places.device)
    for place, by, size in zip(places, offset.tolist(), indices.shape):
        flat = flat * size + (place + (by + 0.5)).int().clamp(0, size - 1)  # truncated: wrong below 0, where clamped
    return _looked_up(indices.flatten(), flat)


def _looked_up(table: Tensor, positions: Tensor) -> Tensor:
    """`table` (K,) at `positions`, of whatever shape."""
    return table.index_select(0, positions.flatten().int()).reshape(positions.shape)
