"""The last step of a segmentation of both hippocampi of a head: from their crops onto the grid of the image."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import nibabel as nib
import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import Compose, MapTransform
from scipy import ndimage

from shared.samples import Sample
from shared.tasks.segmentation.grids import AFFINE, SHAPE, Box
from shared.tasks.segmentation.heads import SIDES
from shared.tasks.segmentation.probabilities import KEY, ONE, as_uint16
from shared.tasks.segmentation.uncertainty import KEY as UNCERTAINTY
from shared.tasks.segmentation.uncertainty import entropy

IS_HEAD = "is_head"  # of a sample whose classes are those of both sides


class RestoreHeadd(MapTransform):
    """Give class ids (1, *S') on the grid that the image was read on of what `HeadInferer` gives of a head.

    Of C classes of a crop, those of the left but the background are 1 to C - 1, those of the right follow. Not labels
    but probabilities are resampled, linearly. Adds `IS_HEAD`, and with `probabilities` those, (2 C - 1, *S'), and with
    `uncertainty` that, (*S'), both uint16 (see `as_uint16`, `entropy`): outside the crops all is certain.
    What it gives of a crop is changed by the transforms `crops` instead.
    """

    def __init__(
        self,
        keys: KeysCollection,
        *,
        crops: Sequence[Callable],
        image_key: str = "image",
        probabilities: bool = False,
        uncertainty: bool = False,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.crops = Compose(crops)
        self.image_key = image_key
        self.probabilities = probabilities
        self.uncertainty = uncertainty

    def __call__(self, data: Sample) -> Sample:
        out = dict(data)
        for key in self.key_iterator(out):
            if not isinstance(out[key], Mapping):
                return dict(self.crops(out))
            image, found = out[self.image_key], out[key]
            affine, shape = np.asarray(image.meta[AFFINE], dtype=float), [int(s) for s in image.meta[SHAPE]]
            to_grid = np.linalg.solve(np.asarray(image.affine, dtype=float), affine)
            restored = on_own_grid(found, to_grid, shape, with_maps=self.probabilities)
            out[key] = MetaTensor(torch.from_numpy(restored.labels)[None], affine=torch.as_tensor(affine))
            out[IS_HEAD] = True
            if self.probabilities:
                out[KEY] = restored.probabilities
            if self.uncertainty:
                out[UNCERTAINTY] = restored.uncertainty
        return out


class Restored(NamedTuple):
    """Of both sides of a head: class ids (*S), uint8; uncertainty (*S) and probabilities (2 C - 1, *S), uint16."""

    labels: np.ndarray
    uncertainty: np.ndarray
    probabilities: np.ndarray | None


def on_own_grid(found: Mapping[str, Any], to_grid: np.ndarray, shape: Sequence[int], *, with_maps: bool) -> Restored:
    """What was found in the crops on the grid `shape`, probabilities with `with_maps` only.

    found: see `HeadInferer`, without the batch. to_grid: (4, 4), from the voxels of `shape` to those of the grid that
    the crops are part of, whose axes are parallel to theirs.
    """
    kinds = len(found["left"]) - 1
    labels, unsure = np.zeros(shape, dtype=np.uint8), np.zeros(shape, dtype=np.uint16)
    maps = np.zeros((1 + 2 * kinds, *shape), dtype=np.uint16) if with_maps else None
    if maps is not None:
        maps[0] = ONE
    for number, side in enumerate(SIDES):
        crop = np.asarray(found[side])
        part, values = resampled_crop(crop, np.asarray(found[f"{side}_start"]), to_grid, shape)
        classes = values.argmax(axis=0)
        labels[part] = np.where(classes > 0, classes + number * kinds, labels[part])
        unsure[part] = np.maximum(unsure[part], as_uint16(entropy(torch.from_numpy(values)).numpy()))
        if maps is not None:
            x, y, z = part
            maps[1 + number * kinds : 1 + (number + 1) * kinds, x, y, z] = as_uint16(values[1:])
            maps[0, x, y, z] = as_uint16(values[0])
    return Restored(labels, unsure, maps)


def resampled_crop(
    crop: np.ndarray, start: np.ndarray, to_grid: np.ndarray, shape: Sequence[int]
) -> tuple[Box, np.ndarray]:
    """The part of `shape` whose voxels lie in a crop (C, *B), which begins at `start` of its grid; and its values."""
    ends = np.array([start, start + crop.shape[1:]]) - 0.5
    ends = nib.affines.apply_affine(np.linalg.inv(to_grid), ends)
    low = np.maximum(np.ceil(ends.min(axis=0) - 1e-6), 0).astype(int)
    high = np.minimum(np.floor(ends.max(axis=0) + 1e-6) + 1, shape).astype(int)
    part = tuple(slice(int(a), int(b)) for a, b in zip(low, high))
    voxels = np.moveaxis(np.mgrid[part], 0, -1)
    places = np.moveaxis(nib.affines.apply_affine(to_grid, voxels) - start, -1, 0)
    sampled = [ndimage.map_coordinates(c, places, order=1, mode="nearest") for c in crop]
    return part, np.asarray(sampled)
