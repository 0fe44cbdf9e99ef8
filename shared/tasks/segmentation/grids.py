"""Between the grid of an image, turned and spaced however, and one on which a network runs: upright and evenly spaced.

Both cover the same box, so that an image that is turned or mirrored gives the same grid.
"""

from collections.abc import Sequence

import nibabel as nib
import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform

from shared.images.resizing import resized, shares
from shared.samples import Sample

RAS = np.array([[0, 1], [1, 1], [2, 1]])  # nibabel's way to write that axes lead to the right, front and top
SHAPE, AFFINE = "spatial_shape", "original_affine"  # MONAI's names for what an image was read with
Box = tuple[slice, ...]


class UprightGridd(MapTransform):
    """Put the volumes (C, *S) that `keys` hold onto an upright grid of about `pixdim` mm, by which as many whole voxels
    as fit best cover the box of the image.

    Linear between voxels; where it gets coarser a voxel is a mean, weighted by a triangle (see `resized`). The image's
    own affine and shape stay in its meta data.
    """

    def __init__(self, keys: KeysCollection, *, pixdim: Sequence[float], allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.pixdim = list(pixdim)

    def __call__(self, data: Sample) -> Sample:
        out = dict(data)
        for key in self.key_iterator(out):
            out[key] = on_upright_grid(out[key], self.pixdim)
        return out


def on_upright_grid(image: MetaTensor, pixdim: Sequence[float]) -> MetaTensor:
    """See `UprightGridd`."""
    affine, shape = np.asarray(image.affine, dtype=float), image.shape[1:]
    orientation = nib.io_orientation(affine)
    turned = np.stack([nib.apply_orientation(channel, orientation) for channel in image.numpy()])
    upright = affine @ nib.orientations.inv_ornt_aff(orientation, shape)
    size = upright_size(turned.shape[1:], nib.affines.voxel_sizes(upright), pixdim)
    values = torch.from_numpy(np.ascontiguousarray(resized(turned, size), dtype=np.float32))
    resized_affine = torch.as_tensor(_resized_affine(upright, turned.shape[1:], size))
    return MetaTensor(values, meta={**image.meta, "affine": resized_affine, AFFINE: affine, SHAPE: list(shape)})


def upright_size(size: Sequence[int], spacing: Sequence[float], pixdim: Sequence[float]) -> list[int]:
    """How many voxels of about `pixdim` cover a grid of `size` voxels of `spacing` mm."""
    return [max(1, round(count * have / want)) for count, have, want in zip(size, spacing, pixdim)]


def as_image_lies(values: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """An upright volume (*S, …) with axes in the order and direction of an image with that affine."""
    turn = nib.orientations.ornt_transform(RAS, nib.io_orientation(affine))
    return np.ascontiguousarray(nib.apply_orientation(values, turn))


def upright_shape(shape: Sequence[int], affine: np.ndarray) -> list[int]:
    """The shape of an image of that affine once it is upright."""
    axes = nib.io_orientation(affine)[:, 0].astype(int)
    return [shape[int(np.flatnonzero(axes == axis)[0])] for axis in range(3)]


def box_of(mask: np.ndarray) -> Box | None:
    """The smallest box (D slices) that holds all of a mask (*S); None where it is empty."""
    lines = [mask.any(axis=tuple(a for a in range(mask.ndim) if a != axis)) for axis in range(mask.ndim)]
    places = [np.flatnonzero(line) for line in lines]
    return tuple(slice(int(p[0]), int(p[-1]) + 1) for p in places) if len(places[0]) else None


def resized_part(volume: np.ndarray, size: Sequence[int], box: Box) -> tuple[Box, np.ndarray]:
    """The part of `resized(volume, size)` that anything in `box` of the volume (*S) has a share in: where and what."""
    part: list[slice] = []
    for axis, (after, of_box) in enumerate(zip(size, box)):
        matrix = shares(volume.shape[axis], after)
        rows = np.flatnonzero(matrix[:, of_box].any(axis=1))
        part.append(slice(int(rows[0]), int(rows[-1]) + 1))
        columns = np.flatnonzero(matrix[part[-1]].any(axis=0))
        needed = slice(int(columns[0]), int(columns[-1]) + 1)
        seen = volume[(slice(None),) * axis + (needed,)]
        volume = np.moveaxis(np.tensordot(matrix[part[-1], needed], seen, axes=(1, axis)), 0, axis)
    return tuple(part), volume


def _resized_affine(affine: np.ndarray, before: Sequence[int], after: Sequence[int]) -> np.ndarray:
    """Of a grid of `after` voxels over the box of one of `before` voxels with that affine."""
    scales = np.divide(before, after)
    change = np.diag([*scales, 1.0])
    change[:3, 3] = (scales - 1) / 2
    return affine @ change
