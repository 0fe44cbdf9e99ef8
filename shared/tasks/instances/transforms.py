"""Label maps of instances: reading them, and what of them training needs."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from monai.config import KeysCollection
from monai.data import MetaTensor, list_data_collate
from monai.transforms import MapTransform
from scipy.ndimage import find_objects
from skimage.measure import label as connected_parts
from torch import Tensor

from shared.errors import InputError
from shared.images.ranges import within_percentiles
from shared.images.reading import read_image
from shared.samples import Sample
from shared.tasks.instances.cases import draw_ids, is_drawn
from shared.tasks.instances.masks import as_ids


class ReadInstancesd(MapTransform):
    """Read the label maps, or annotations in a JSON, that `keys` name: ids (1, *S), 0 the background.

    Of a black and white mask each connected part becomes an instance (see `as_ids`). Raises InputError where the grid
    is not that of the image of `image_key`, there are several channels, or the values are no ids.
    """

    def __init__(self, keys: KeysCollection, *, image_key: str, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.image_key = image_key

    def __call__(self, data: Sample) -> Sample:
        out = dict(data)
        for key in self.key_iterator(out):
            path, image = out[key], out[self.image_key]
            shape = tuple(image.shape[1:])
            if is_drawn(path):
                rows, columns = shape
                ids = MetaTensor(draw_ids(path, (columns, rows))[None].astype(np.float32), affine=image.affine)
            else:
                file = read_image(path, as_ids=True)
                ids = replace(file, values=as_ids(file.values, path)).tensor()
            if tuple(ids.shape[1:]) != shape:
                raise InputError(
                    path, expected=f"one id a pixel on the grid of its image, {shape}", got=tuple(ids.shape),
                    fix="store a label map of the image's size",
                )  # fmt: skip
            out[key] = ids
        return out


class ScaleByPercentilesd(MapTransform):
    """Bring images (C, *S) to -1 … 1: linearly, from these percentiles of all their channels together, and clipped.

    Of images of more than `most` pixels every n-th is looked at.
    """

    def __init__(self, keys: KeysCollection, *, lower: float, upper: float, most: int = 2**20) -> None:
        super().__init__(keys)
        self.percentiles = (lower, upper)
        self.most = most

    def __call__(self, data: Sample) -> Sample:
        out = dict(data)
        for key in self.key_iterator(out):
            low, high = within_percentiles(np.asarray(out[key]), self.percentiles, most=self.most)
            out[key] = out[key].sub(low).mul_(2 / (high - low)).sub_(1).clamp_(-1, 1)
        return out


class InstancesToTruthd(MapTransform):
    """Of ids (1, *S) make what a detector is trained with: "ids" 1 … M, "boxes" (M, 2 D) and "classes" (M).

    Touching pixels of one id are an object; of what a crop has cut in two, both are. Those of fewer than `smallest`
    pixels become background.
    """

    def __init__(self, key: str, *, smallest: int = 10) -> None:
        super().__init__([key])
        self.smallest = smallest

    def __call__(self, data: Sample) -> Sample:
        out = dict(data)
        parts = connected_parts(np.asarray(out.pop(self.keys[0]))[0].astype(np.int32), connectivity=1)
        sizes = np.bincount(parts.ravel())
        kept = np.flatnonzero(sizes[1:] >= self.smallest) + 1
        renamed = np.zeros(len(sizes), dtype=np.int32)
        renamed[kept] = np.arange(1, len(kept) + 1)
        places = find_objects(renamed[parts])
        boxes = [[s.start for s in place] + [s.stop for s in place] for place in places]
        out["ids"] = torch.as_tensor(renamed[parts])[None]
        out["boxes"] = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 2 * parts.ndim)
        out["classes"] = torch.zeros(len(boxes), dtype=torch.long)
        return out


class InstanceMapd(MapTransform):
    """Make of what `TiledInstances` found a map of ids (1, *S) in its place, "scores" and "labels" (N) beside it."""

    def __call__(self, data: Sample) -> Sample:
        out = dict(data)
        for key in self.key_iterator(out):
            found = out[key]
            out |= {key: found["ids"], "scores": found["scores"], "labels": found["labels"]}
        return out


def collate_instances(batch: Sequence[Sample]) -> dict[str, Tensor]:
    """Collate samples of different numbers M of objects: "present", (B, M), tells which are any; at least one row."""
    most = max(1, *(len(sample["boxes"]) for sample in batch))
    collated = list_data_collate([{key: sample[key] for key in ("image", "ids")} for sample in batch])
    collated["boxes"] = torch.stack([F.pad(s["boxes"], (0, 0, 0, most - len(s["boxes"]))) for s in batch])
    collated["classes"] = torch.stack([F.pad(s["classes"], (0, most - len(s["classes"]))) for s in batch])
    collated["present"] = torch.stack([torch.arange(most) < len(sample["boxes"]) for sample in batch])
    return collated
