"""Random patches of images of instances, stained and lit at random."""

from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from monai.config import KeysCollection
from monai.transforms import MapTransform, RandomizableTransform
from torch import Tensor

from shared.images.cases import Case
from shared.samples import Sample
from shared.tasks.instances.cases import count_instances, read_groups
from shared.tasks.instances.widths import typical_width


def patches_of(
    cases: Sequence[Case],
    *,
    each: int = 1,
    instances: int | None = None,
    most: int = 4,
    groups: str | Path = "",
    repeated: Mapping[str, int] | None = None,
) -> list[Case]:
    """The cases as often as an epoch is to have a patch of them: `each` times, the crowded and the rare more often.

    instances: for how many of them a case is repeated, up to `most` times: 90 at 40 a patch are 3; None: not repeated.
    groups: the file of `read_groups`. repeated: by group, how many times as often its cases are drawn.
    """
    group_of = read_groups(groups) if repeated else {}
    patches = []
    for case in cases:
        crowd = ceil(count_instances(case["label"]) / instances) if instances else 1
        rare = (repeated or {}).get(group_of.get(Path(case["case"]).name, ""), 1)
        patches += [case] * (each * min(most, max(1, crowd)) * rare)
    return patches


class RandCropd(RandomizableTransform, MapTransform):
    """A patch of `size` at a random place, turned and zoomed, of an image and its ids, (C, *S), 2D.

    zoom: range of the factor, drawn evenly in its logarithm. widths: in pixels of the patch, those that a typical
    object of the image may have, if not any: the range of the factor is cut to them, or is what comes nearest. Each
    axis is stretched by up to `stretch` more. Pixels of the image are interpolated linearly, ids are those of the
    nearest pixel; beyond the border both are mirrored.
    """

    def __init__(
        self,
        image_key: str,
        ids_key: str,
        *,
        size: Sequence[int],
        zoom: Sequence[float],
        widths: Sequence[float] | None = None,
        stretch: float = 0.1,
    ) -> None:
        MapTransform.__init__(self, [image_key, ids_key])
        RandomizableTransform.__init__(self)
        self.size = list(size)
        self.zoom = zoom
        self.widths = widths
        self.stretch = stretch

    def __call__(self, data: Sample) -> Sample:
        out, random = dict(data), self.R
        image, ids = (out[key] for key in self.keys)
        shape = np.array(image.shape[1:])
        angle = random.uniform(0, 2 * np.pi)
        zoom = np.exp(random.uniform(*np.log(self._zooms(ids)))) * np.exp(random.uniform(-1, 1, 2) * self.stretch)
        mirror = np.array([1, random.choice([-1, 1])])
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * mirror / zoom
        slack = np.maximum(shape - np.array(self.size) / zoom, 0) / 2
        centre = shape / 2 + random.uniform(-slack, slack)
        # From the patch's coordinates to the image's, both -1 … 1 from border to border, last axis first.
        matrix = np.concatenate([turn * self.size / shape[:, None], (2 * centre / shape - 1)[:, None]], axis=1)
        matrix = matrix[::-1][:, [1, 0, 2]].copy()
        grid = F.affine_grid(
            torch.as_tensor(matrix[None], dtype=torch.float32), [1, 1, *self.size], align_corners=False
        )
        for key, value, mode in zip(self.keys, (image, ids), ("bilinear", "nearest")):
            out[key] = F.grid_sample(
                value[None].float(), grid, mode=mode, padding_mode="reflection", align_corners=False
            )[0]
        return out

    def _zooms(self, ids: Tensor) -> np.ndarray:
        """The range of the factor for an image of these ids."""
        width = typical_width(np.asarray(ids)[0]) if self.widths else None
        return np.array(self.zoom) if width is None else np.clip(self.zoom, *np.array(self.widths) / width)


class RandStaind(RandomizableTransform, MapTransform):
    """Change how images (3, *S) of -1 … 1 are stained and lit: inverted, gray, tinted, brighter, of more contrast.

    Each with its probability; gain, offset and gamma of each channel differ by a tenth of what they share.
    """

    def __init__(self, keys: KeysCollection, *, inverted: float = 0.1, gray: float = 0.1, changed: float = 0.7) -> None:
        MapTransform.__init__(self, keys)
        RandomizableTransform.__init__(self)
        self.inverted, self.gray, self.changed = inverted, gray, changed

    def __call__(self, data: Sample) -> Sample:
        out, random = dict(data), self.R
        for key in self.key_iterator(out):
            image = (out[key] + 1) / 2
            if random.uniform() < self.inverted:
                image = 1 - image
            if random.uniform() < self.gray:
                image = image.mean(dim=0, keepdim=True).expand_as(image)
            if random.uniform() < self.changed:
                gamma, gain, offset = (self._column(scale, len(image), random) for scale in (0.4, 0.3, 0.15))
                image = image.clamp(min=1e-4) ** gamma.exp() * gain.exp() + offset
            if random.uniform() < 0.3:
                noise = np.random.default_rng(random.randint(2**31)).normal(size=tuple(image.shape))
                image = image + torch.as_tensor(noise, dtype=image.dtype) * random.uniform(0, 0.06)
            out[key] = 2 * image - 1
        return out

    @staticmethod
    def _column(scale: float, channels: int, random: np.random.RandomState) -> Tensor:
        values = random.uniform(-scale, scale) + 0.1 * random.uniform(-scale, scale, channels)
        return torch.as_tensor(values, dtype=torch.float32)[:, None, None]
