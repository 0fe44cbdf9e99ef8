"""Images onto the grid of a template, or of the image whose frame a template to be learned shall have."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.transforms import ResizeWithPadOrCrop, ScaleIntensityRangePercentiles, Transform

from shared.images.file import ImageFile
from shared.images.reading import read_image
from shared.spatial.frames import to_patient
from shared.tasks.registration.templates.file import TemplateFile
from shared.tasks.registration.transforms import ReadPaird


class OntoReferenced(Transform):
    """Make of "image" (1, *S) on the grid of the `reference`, cropped or padded to `size`.

    reference: the path of an image. Images are aligned to it as `ReadPaird` does, with its errors. Adds "affine",
    (4, 4), from voxels of the grid to mm, RAS; zeros of a picture.
    """

    def __init__(self, reference: str | Path, size: Sequence[int], **reading: Any) -> None:
        self.reference = Path(reference)
        self.read_pair = ReadPaird(**reading)
        self.crop = ResizeWithPadOrCrop(list(size))
        self.size = size

    @cached_property
    def file(self) -> ImageFile:
        return read_image(self.reference)

    def __call__(self, data: Mapping[str, Any]) -> dict[str, Any]:
        pair = self.read_pair({"moving": data["image"], "fixed": self.file})
        image = self.crop(pair["image"][:1].as_tensor())
        grid = pair["grid"].copy()
        grid[:-1, -1] -= grid[:-1, :-1] @ self._margin(pair["image"].shape[1:])
        return {**data, "image": image, "affine": affine_of(self.file, grid)}

    def _margin(self, size: Sequence[int]) -> np.ndarray:
        """The voxels that are added before the first one, by axis; less than 0 where they are cut off."""
        return np.array([_before(old, new) for old, new in zip(size, self.size)])


def _before(old: int, new: int) -> int:
    """As ResizeWithPadOrCrop pads and crops an axis around its middle."""
    return (new - old) // 2 if new >= old else -(old // 2 - new // 2)


def affine_of(file: ImageFile, grid: np.ndarray) -> np.ndarray:
    """(4, 4), from voxels to mm, RAS, of a grid of a slice or a volume in the frame of `file`; zeros of a picture.

    grid: (D + 1, D + 1), from its voxels to points as ITK has them.
    """
    if file.is_raster:
        return np.zeros((4, 4))
    to_ras = np.diag([-1.0, -1.0, 1.0])
    affine = np.eye(4)
    if len(grid) == 4:
        affine[:3] = to_ras @ grid[:3]
        return affine
    plane = to_ras @ to_patient(file) @ grid  # of a voxel (i, j, 1)
    affine[:3, :2], affine[:3, 3] = plane[:, :2], plane[:, 2]
    normal = np.cross(plane[:, 0], plane[:, 1])
    affine[:3, 2] = normal / np.linalg.norm(normal)  # as thick as a millimetre
    return affine


class WithTemplated(Transform):
    """Add the `template` as what a "moving" image is registered to, and `label`, if there is one, as its label map."""

    def __init__(self, template: TemplateFile) -> None:
        self.template = template

    def __call__(self, data: Mapping[str, Any]) -> dict[str, Any]:
        fixed = self.template.files
        return {**data, **fixed, "files": {**data.get("files", {}), **fixed}}


class ScaleMovingd(Transform):
    """Scale the first image alone of "image", (2, *S), as images are in a training; the template has what it learned.

    lower, upper: the percentiles of its intensities that become 0 and 1; what lies beyond is cut off.
    """

    def __init__(self, lower: float, upper: float) -> None:
        self.scale = ScaleIntensityRangePercentiles(lower, upper, 0.0, 1.0, clip=True)

    def __call__(self, data: Mapping[str, Any]) -> dict[str, Any]:
        moving, template = data["image"].split(1)
        return {**data, "image": torch.cat([torch.as_tensor(self.scale(moving)), template])}
