"""One labelled image as a plan needs it, in a few numbers."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np
from scipy import ndimage

from shared.errors import InputError
from shared.images.accepting import check_values
from shared.images.cases import Case
from shared.images.channels import ALPHA
from shared.images.file import ImageFile
from shared.images.reading import read_image
from shared.images.snapping import is_lossy, snapped
from shared.planning.counterparts import Counterparts, counterparts

MOST_VALUES = 10_000  # intensities that are kept of an image, each n-th of its labelled voxels
BLACK_AND_WHITE = (0, 255)  # what a label map that was saved as a JPEG can be taken for


@dataclass(frozen=True)
class Looks:
    """Of an image alone: see `Seen`."""

    size: tuple[int, ...]
    spacing: tuple[float, ...]
    channels: int
    gray: bool
    extremes: tuple[float, float]
    digest: str


class Pictured(Protocol):
    """A picture that was looked at."""

    @property
    def looks(self) -> Looks: ...


class Pictures:
    """What the pictures of a data set have in common."""

    seen: Sequence[Pictured]

    @property
    def channels(self) -> int:
        """3, or 1 where all pictures are gray, whatever their files hold."""
        return 1 if all(one.looks.gray for one in self.seen) else max(one.looks.channels for one in self.seen)

    @property
    def sizes(self) -> np.ndarray:
        """Rows and columns of each picture, (N, 2)."""
        return np.array([one.looks.size for one in self.seen])


@dataclass(frozen=True)
class Seen(Looks):
    """size: voxels along each axis: x, y, z of a volume turned to RAS, rows and columns of a picture.

    spacing: in mm along the same axes; 1 of a picture. channels: without alpha; `gray`: whether they are all equal.
    voxels: how many each value of the label has. thin: see `thinnest`; nan of a volume. counterparts: of classes, along
    the axes of `size`.
    inside: intensities where the label is not 0, over all channels.
    extremes: the least and the greatest intensity. digest: of the image's values.
    """

    case: Case
    voxels: dict[int, int]
    thin: float
    counterparts: frozenset[Counterparts]
    inside: np.ndarray

    @cached_property
    def is_volume(self) -> bool:
        return len(self.size) == 3


def see(case: Case) -> Seen:
    """Raises InputError, in a line that names the file, for what cannot be read or trained on."""
    image, label = read_image(case["image"]), label_of(case["label"])
    looks = looks_of(image)
    check_grid_of_label(label, image)
    ids = whole_numbers(label)
    inside = _without_alpha(image)[:, ids != 0].ravel()
    counted, counts = np.unique(ids, return_counts=True)
    return Seen(
        **vars(looks),
        case=case,
        voxels=dict(zip(counted.tolist(), counts.tolist())),
        thin=thinnest(ids) if ids.ndim == 2 else math.nan,
        counterparts=counterparts(upright(ids, label), looks.spacing),
        inside=inside[:: max(1, len(inside) // MOST_VALUES)],
    )


def thinnest(ids: np.ndarray) -> float:
    """How wide the class is, on average, that is the thinnest in a label map (H, W), by the longer side of that.

    Four times the mean distance to another class: the width of a strip, and two thirds of a disc's diameter.
    """
    widths = [4 * float(ndimage.distance_transform_edt(ids == value)[ids == value].mean()) for value in np.unique(ids)]
    return min(widths) / max(ids.shape) if len(widths) > 1 else math.inf


def looks_of(image: ImageFile) -> Looks:
    """Raises InputError for an image that is empty, constant, or has NaN or Inf."""
    check_values(image.values, image.path)
    values, (axes, spacing) = _without_alpha(image), upright_axes(image)
    return Looks(
        size=tuple(image.shape[axis] for axis in axes),
        spacing=tuple(spacing[axes].tolist()),
        channels=len(values),
        gray=all(np.array_equal(values[0], other) for other in values[1:]),
        extremes=(float(values.min()), float(values.max())),
        digest=hashlib.sha256(image.values.tobytes()).hexdigest(),
    )


def label_of(path: str) -> ImageFile:
    """A label map of one channel; one that was saved as a black and white JPEG is put right."""
    label = read_image(path, as_ids=True)
    if is_lossy(path):
        return replace(label, values=snapped(label.values, BLACK_AND_WHITE, path))
    if len(label.values) != 1:
        raise InputError(path, expected="one class id a voxel", got=f"{len(label.values)} channels", fix="store ids")
    return label


def check_grid_of_label(label: ImageFile, image: ImageFile) -> None:
    """Refuse a label map that does not lie on the grid of its image."""
    if label.shape != image.shape or not np.allclose(label.affine, image.affine, atol=1e-2):
        raise InputError(
            label.path, expected=f"the grid of its image, {image.shape}", got=f"{label.shape} or another affine",
            fix="resample the label onto the image",
        )  # fmt: skip


def whole_numbers(label: ImageFile) -> np.ndarray:
    """The ids (*S) of a label map. Raises InputError where they are no whole numbers from 0."""
    ids = label.values[0]
    if not np.isfinite(ids).all() or (ids != ids.round()).any() or (ids < 0).any():
        raise InputError(
            label.path, expected="class ids, whole numbers from 0", got=f"{ids.min():g} to {ids.max():g}, with others",
            fix="store ids",
        )  # fmt: skip
    return ids.astype(np.int64)


def upright_axes(image: ImageFile) -> tuple[np.ndarray, np.ndarray]:
    """The axes of a volume in the order of RAS, and its spacing in mm along its own; of a picture as they are."""
    if image.is_raster:
        return np.arange(len(image.shape)), np.ones(len(image.shape))
    import nibabel as nib  # 0.3 s, needed for volumes alone

    axes = nib.io_orientation(image.affine)[: len(image.shape), 0].argsort()
    return axes, nib.affines.voxel_sizes(image.affine)


def upright(ids: np.ndarray, label: ImageFile) -> np.ndarray:
    """The ids (*S) of a volume turned to RAS; those of a picture as they are."""
    if label.is_raster:
        return ids
    import nibabel as nib

    turned: np.ndarray = nib.apply_orientation(ids, nib.io_orientation(label.affine))
    return turned


def _without_alpha(image: ImageFile) -> np.ndarray:
    kept = [place for place, channel in enumerate(image.channels) if channel != ALPHA]
    return image.values[kept] if image.is_raster and kept else image.values
