"""Training pictures of a detector: several images beside each other, each turned, scaled and moved at random."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from monai.config import KeysCollection
from monai.data import Dataset
from monai.transforms import Compose, MapTransform
from monai.utils import convert_to_tensor
from torch import Tensor

from shared.errors import InputError
from shared.samples import Sample
from shared.tasks.detection.cases import clip_objects


class MosaicDataset(Dataset):
    """Pictures (C, size, size) of four images, or of one, drawn from cached `images`; the rest of them is 0.

    images: a dataset of {"image": (C, *S), "label": (M, 5)}, corners along the axes of S in pixels and class.
    A sample has the same keys; its first image is that of its index, and it depends on (seed, epoch, index) alone.
    four: the share of pictures of four images, up to the epoch `last_mosaic`; those after it are of one.
    scales: the range of factors by which an image is resized, each octave as often, its sides by factors up to `aspect`
    apart; closing_scales is that of the epochs after `last_mosaic`.
    visible: the share of an object's box that must be left for it to count.
    Raises InputError where a range is other than two factors.
    Source: mosaics as of Bochkovskiy et al., YOLOv4, 2020. Differs: images are turned and mirrored each on its own,
    since cells have no upright; nothing is rotated by other than right angles, so that boxes stay tight.
    """

    def __init__(
        self,
        images: Dataset,
        transform: Compose,
        *,
        size: int,
        seed: int,
        last_mosaic: int,
        four: float = 1.0,
        scales: tuple[float, float] = (0.5, 1.5),
        closing_scales: tuple[float, float] = (0.8, 1.25),
        aspect: float = 1.1,
        visible: float = 0.2,
    ) -> None:
        for name, limits in (("scales", scales), ("closing_scales", closing_scales)):
            if len(limits) != 2:
                raise InputError(
                    f"--{name}",
                    expected="two factors, the least and the greatest",
                    got=limits,
                    fix="correct the option",
                )
        super().__init__(range(len(images)), transform)
        self.images = images
        self.size = size
        self.seed = seed
        self.last_mosaic = last_mosaic
        self.four = four
        self.scales = scales
        self.closing_scales = closing_scales
        self.aspect = aspect
        self.visible = visible
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def _transform(self, index: int) -> object:
        draw, colour = np.random.SeedSequence((self.seed, self.epoch, index)).generate_state(2).tolist()
        random = np.random.default_rng(draw)
        four = self.epoch <= self.last_mosaic and random.random() < self.four
        sample = self._mosaic(index, random) if four else self._placed(index, [(0, 0, self.size, self.size)], random)
        self.transform.set_random_state(seed=colour)
        return self.transform(sample)

    def _mosaic(self, index: int, random: np.random.Generator) -> dict[str, Tensor]:
        row, column = (int(self.size * random.uniform(0.3, 0.7)) for _ in range(2))
        rows, columns = ((0, row), (row, self.size)), ((0, column), (column, self.size))
        panels = [(r0, c0, r1, c1) for r0, r1 in rows for c0, c1 in columns]
        return self._placed(index, panels, random)

    def _placed(self, index: int, panels: Sequence[tuple], random: np.random.Generator) -> dict[str, Tensor]:
        others = random.integers(len(self.images), size=len(panels) - 1).tolist()
        picture, labels = torch.zeros(self.images[index]["image"].shape[0], self.size, self.size), []
        for panel, chosen in zip(random.permutation(panels).tolist(), [index, *others]):
            image, objects = self._varied(self.images[chosen], random)
            low = np.array(panel[:2])
            room = np.array(panel[2:]) - low
            free = room - image.shape[1:]
            offset = random.integers(np.minimum(free, 0), np.maximum(free, 0), endpoint=True)
            image, objects = image[:, *(slice(max(0, -o), None) for o in offset)], shifted(objects, offset)
            start = offset.clip(min=0)
            image = image[:, : room[0] - start[0], : room[1] - start[1]]
            r, c = (low + start).tolist()
            picture[:, r : r + image.shape[1], c : c + image.shape[2]] = image
            labels.append(shifted(clip_objects(objects, room.tolist(), visible=self.visible), low))
        return {"image": picture, "label": torch.cat(labels)}

    def _varied(self, sample: dict[str, Tensor], random: np.random.Generator) -> tuple[Tensor, Tensor]:
        image, objects = torch.as_tensor(sample["image"]), torch.as_tensor(sample["label"])
        for axis in (0, 1):
            if random.random() < 0.5:
                image, objects = image.flip(axis + 1), mirrored(objects, axis, image.shape[axis + 1])
        if random.random() < 0.5:
            image, objects = image.transpose(1, 2), objects[:, [1, 0, 3, 2, 4]]
        scales = self.scales if self.epoch <= self.last_mosaic else self.closing_scales
        factor, unlike = np.exp(random.uniform(*np.log(scales))), self.aspect ** random.uniform(-0.5, 0.5)
        size = [max(1, round(s * f)) for s, f in zip(image.shape[1:], (factor * unlike, factor / unlike))]
        return resized(image, objects, size)


def resized(image: Tensor, objects: Tensor, size: Sequence[int]) -> tuple[Tensor, Tensor]:
    """An image (C, *S) of two dimensions and its objects (M, 5), resized to `size` without aliasing."""
    factors = torch.tensor([new / old for new, old in zip(size, image.shape[1:])])
    image = F.interpolate(image[None], size=list(size), mode="bilinear", antialias=True)[0]
    return image, objects * torch.cat([factors, factors, torch.ones(1)])


def mirrored(objects: Tensor, axis: int, length: int) -> Tensor:
    """Objects (M, 5) of an image of `length` along `axis`, which is turned round."""
    out = objects.clone()
    out[:, axis], out[:, axis + 2] = length - objects[:, axis + 2], length - objects[:, axis]
    return out


def shifted(objects: Tensor, offset: np.ndarray) -> Tensor:
    """Objects (M, 5) moved by `offset`, two numbers of pixels."""
    moved = torch.zeros(5)
    moved[:4] = torch.as_tensor(np.tile(offset, 2), dtype=torch.float32)
    return objects + moved


class ResizeLongestd(MapTransform):
    """Resize an image (C, *S) and the objects in it so that its longer side has `length` pixels.

    One of fewer than `smallest` pixels is resized as if it had that many, as `Letterbox` does.
    """

    def __init__(self, keys: KeysCollection, *, label_key: str = "label", length: int, smallest: int = 0) -> None:
        super().__init__(keys)
        self.label_key = label_key
        self.length = length
        self.smallest = smallest

    def __call__(self, data: Sample) -> Sample:
        out = dict(data)
        for key in self.key_iterator(out):
            image = convert_to_tensor(out[key])
            factor = self.length / max(self.smallest, *image.shape[1:])
            size = [max(1, round(side * factor)) for side in image.shape[1:]]
            out[key], out[self.label_key] = resized(image, out[self.label_key], size)
        return out
