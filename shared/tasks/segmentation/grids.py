"""Between the grid of an image, turned and spaced however, and one on which a network runs: upright and evenly spaced.

Both cover the same box, so that an image that is turned or mirrored gives the same grid.
"""

import math
from collections.abc import Iterator, Sequence

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
UPRIGHT = "_upright"  # what the name of an image ends with that is turned alone, its voxels its own
Box = tuple[slice, ...]
SLAB = 2**24  # values: 64 MiB


class UprightGridd(MapTransform):
    """Put the volumes (C, *S) that `keys` hold onto an upright grid of about `pixdim` mm, by which as many whole voxels
    as fit best cover the box of the image.

    Linear between voxels; where it gets coarser a voxel is a mean, weighted by a triangle (see `resized`). The image's
    own affine and shape stay in its meta data; its values, turned upright, are added with `UPRIGHT` behind the key.
    """

    def __init__(self, keys: KeysCollection, *, pixdim: Sequence[float], allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.pixdim = list(pixdim)

    def __call__(self, data: Sample) -> Sample:
        out = dict(data)
        for key in self.key_iterator(out):
            out[f"{key}{UPRIGHT}"] = torch.from_numpy(turned_upright(out[key]))
            out[key] = on_upright_grid(out[key], self.pixdim)
        return out


def turned_upright(image: MetaTensor) -> np.ndarray:
    """The values (C, *S') of an image (C, *S), upright."""
    orientation = nib.io_orientation(np.asarray(image.affine, dtype=float))
    return np.stack([nib.apply_orientation(channel, orientation) for channel in image.numpy()])


def on_upright_grid(image: MetaTensor, pixdim: Sequence[float]) -> MetaTensor:
    """See `UprightGridd`."""
    affine, shape, turned = np.asarray(image.affine, dtype=float), image.shape[1:], turned_upright(image)
    upright = affine @ nib.orientations.inv_ornt_aff(nib.io_orientation(affine), shape)
    size = upright_size(turned.shape[1:], nib.affines.voxel_sizes(upright), pixdim)
    values = torch.from_numpy(np.ascontiguousarray(resized(turned, size), dtype=np.float32))
    resized_affine = torch.as_tensor(_resized_affine(upright, turned.shape[1:], size))
    return MetaTensor(values, meta={**image.meta, "affine": resized_affine, AFFINE: affine, SHAPE: list(shape)})


def upright_size(size: Sequence[int], spacing: Sequence[float], pixdim: Sequence[float]) -> list[int]:
    """How many voxels of about `pixdim` cover a grid of `size` voxels of `spacing` mm."""
    return [max(1, round(count * have / want)) for count, have, want in zip(size, spacing, pixdim)]


def as_image_lies(values: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """An upright volume (*S, …) with axes in the order and direction of an image with that affine, not copied."""
    turn = nib.orientations.ornt_transform(RAS, nib.io_orientation(affine))
    return nib.apply_orientation(values, turn)


def box_of(mask: np.ndarray) -> Box | None:
    """The smallest box (D slices) that holds all of a mask (*S); None where it is empty."""
    lines = [mask.any(axis=tuple(a for a in range(mask.ndim) if a != axis)) for axis in range(mask.ndim)]
    places = [np.flatnonzero(line) for line in lines]
    return tuple(slice(int(p[0]), int(p[-1]) + 1) for p in places) if len(places[0]) else None


def resized_slabs(volumes: np.ndarray, size: Sequence[int], box: Box) -> Iterator[tuple[Box, np.ndarray]]:
    """The part of `resized(volumes, size)`, of volumes (C, *S), that anything in `box` of them has a share in: a few
    planes at a time, so that no more than `SLAB` values are held. Each is where it lies, and (C, *P) values.
    """
    reached = [_reached(shares(before, after), lines) for before, after, lines in zip(volumes.shape[1:], size, box)]
    volumes = volumes[(slice(None), *(columns for _, columns, _ in reached))]
    (first, _, of_planes), *others = reached
    step = max(1, SLAB // (len(volumes) * math.prod(len(matrix) for *_, matrix in others)))
    for start in range(0, len(of_planes), step):
        _, columns, matrix = _reached(of_planes[start : start + step], slice(None))
        slab = volumes[:, columns]
        for axis, shared in enumerate((matrix, *(matrix for *_, matrix in others)), start=1):
            slab = np.moveaxis(np.tensordot(shared, slab, axes=(1, axis)), 0, axis)
        planes = slice(first.start + start, first.start + start + len(matrix))
        yield (planes, *(rows for rows, *_ in others)), np.ascontiguousarray(slab)


def _reached(matrix: np.ndarray, columns: slice) -> tuple[slice, slice, np.ndarray]:
    """Of a matrix of shares the rows that have some of `columns`, all columns those have some of, and the part."""
    rows = np.flatnonzero(matrix[:, columns].any(axis=1))
    part = matrix[rows[0] : rows[-1] + 1]
    needed = np.flatnonzero(part.any(axis=0))
    seen = slice(int(needed[0]), int(needed[-1]) + 1)
    return slice(int(rows[0]), int(rows[-1]) + 1), seen, part[:, seen]


def _resized_affine(affine: np.ndarray, before: Sequence[int], after: Sequence[int]) -> np.ndarray:
    """Of a grid of `after` voxels over the box of one of `before` voxels with that affine."""
    scales = np.divide(before, after)
    change = np.diag([*scales, 1.0])
    change[:3, 3] = (scales - 1) / 2
    return affine @ change
