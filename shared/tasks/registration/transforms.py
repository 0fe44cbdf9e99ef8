"""Resampling a pair of images onto one grid, as registration networks take it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import SimpleITK as sitk
import torch
from monai.data import MetaTensor
from monai.transforms import Transform

from shared.engine.datasets import opened_files
from shared.errors import InputError
from shared.images.bounds import check_grid
from shared.images.checking import check_intensities, match_channels
from shared.images.file import ImageFile
from shared.spatial.frames import between
from shared.spatial.itk import (
    from_itk,
    grid_of,
    identity,
    ids_from_itk,
    matrix_of,
    matrix_of_grid,
    resample,
    to_itk,
)
from shared.tasks.registration.alignment import ALIGNMENTS, align_in_place, extent_of
from shared.tasks.registration.cases import IMAGES, LABELS
from shared.tasks.registration.ids import ids_of_fixed, ids_on
from shared.tasks.registration.memory import BYTES_A_VOXEL, check_memory

LEAST_OVERLAP = 0.05  # of the smaller of two images, without which nothing can be registered
AUTO = "auto"  # the alignment by an `aligner`
FLOAT_IDS = 2**24  # up to which float32 holds each
LIKE_PIXDIM = 1.1  # grids whose spacing is that asked for, up to this factor, are left as they are


class ReadPaird(Transform):
    """Make of "moving" and "fixed", paths or `ImageFile`s, "image": (2, *S), on the grid of the fixed image in RAS.

    S = (x, y[, z]): a picture's columns come first, and a slice stored as a volume becomes the plane it is. Colour
    becomes luminance. pixdim: the spacing of the grid in mm, where the image has one; None keeps that
    of the fixed image. "grid", (D + 1, D + 1), is the matrix from voxels of the grid to points, in mm as ITK has them.
    alignment: "none" trusts the images' own coordinates; "centre" lets the images' centres fall together, "rigid" and
    "affine" align what they show; "auto" what `aligner` finds in them, or as "affine" where it finds too little, which
    "warning" then says. "initial", (D + 1, D + 1), is the matrix that leads from fixed to moving points.
    With "moving_label" and "fixed_label" also "label": (2, *S), int32, their ids on that grid. Where the moving image
    has not all of the grid, also "inside": (1, *S), float32, 1 where it has it. The four keys themselves are left out
    of the result. memory_limit: for the whole registration, in GiB; None sets none. bytes_a_voxel: see
    `check_memory`. aligner: a `StructureAligner`.
    Raises InputError for a pair that needs more memory, an image that cannot be used or has other than `spatial_dims`
    dimensions (None: the same in both will do), for a picture with a scan, images that hardly overlap, or an unknown
    alignment.
    """

    def __init__(
        self,
        alignment: str | None = None,
        pixdim: float | None = None,
        spatial_dims: int | None = None,
        memory_limit: float | None = None,
        bytes_a_voxel: int = BYTES_A_VOXEL,
        aligner: Any = None,
    ) -> None:
        self.alignment = alignment or "none"
        self.aligner = aligner
        self.memory_limit = memory_limit
        self.bytes_a_voxel = bytes_a_voxel
        self.spatial_dims = spatial_dims
        self.pixdim = pixdim
        known = (*ALIGNMENTS, *([AUTO] if aligner else []))
        if self.alignment not in known:
            raise InputError(
                "--affine", expected=f"one of {', '.join(known)}", got=repr(alignment), fix="choose one of these"
            )

    def __call__(self, data: Mapping[str, Any]) -> dict[str, Any]:
        files = opened_files(data, (*IMAGES, *LABELS))
        check_kinds(files["moving"], files["fixed"])
        moving, fixed = (image_for_itk(files[key]) for key in IMAGES)
        if self.spatial_dims is not None:
            check_plane_or_volume(fixed, files["fixed"].path, self.spatial_dims)
        if moving.GetDimension() != fixed.GetDimension():
            raise InputError(
                files["moving"].path, expected=f"{fixed.GetDimension()} dimensions, as {files['fixed'].path}",
                got=moving.GetDimension(), fix="give two slices or two volumes",
            )  # fmt: skip
        grid = working_grid(files["fixed"], self.pixdim)
        if self.memory_limit is not None:
            voxels = max(math.prod(grid.GetSize()), math.prod(fixed.GetSize()))
            check_memory(voxels, self.memory_limit, files["fixed"].path, bytes_a_voxel=self.bytes_a_voxel)
        initial, warning = self._aligned(files, moving, fixed)
        channels = [from_itk(resample(moving, grid, initial)), from_itk(resample(fixed, grid, identity(grid)))]
        inside = from_itk(resample(extent_of(moving), grid, initial, nearest=True))
        shared = float(inside.sum()) / min(inside.numel(), _voxels_of(moving, grid, initial))
        if float(channels[0].amin()) == float(channels[0].amax()) or shared < LEAST_OVERLAP:
            raise InputError(
                files["moving"].path, expected=f"an image that overlaps {files['fixed'].path}",
                got="one that is elsewhere", fix="check the affines, or add --affine rigid",
            )  # fmt: skip
        image = MetaTensor(torch.cat(channels), meta={"filename_or_obj": str(files["fixed"].path)})
        out = {key: value for key, value in data.items() if key not in files}
        out |= {"image": image, "initial": matrix_of(initial), "grid": matrix_of_grid(grid)}
        if warning:
            out["warning"] = warning
        if not inside.all():
            out["inside"] = inside
        if all(key in files for key in LABELS):
            labels = [
                ids_on(files["moving_label"], files["moving"], grid, initial),
                ids_of_fixed(files["fixed_label"], files["fixed"], grid),
            ]
            out["label"] = torch.cat([ids_from_itk(label) for label in labels])
        return out

    def _aligned(
        self, files: Mapping[str, ImageFile], moving: sitk.Image, fixed: sitk.Image
    ) -> tuple[sitk.Transform, str]:
        """The transform that leads from points of the fixed image to those of the moving one, and a warning or ""."""
        place, alignment, warning = between(files["fixed"], files["moving"]), self.alignment, ""
        if alignment == AUTO:
            grids = [working_grid(files[key], self.aligner.pixdim) for key in IMAGES]
            found = self.aligner(moving, fixed, *grids)
            if found is not None:
                return found, ""
            alignment, warning = "affine", "too few structures were found: aligned by --affine affine"
        try:
            return align_in_place(moving, fixed, place, alignment), warning
        except RuntimeError as error:  # of ITK, where its search leaves the image
            raise InputError(
                files["moving"].path, expected=f"an image that can be aligned with {files['fixed'].path}",
                got="one that shows nothing like it", fix="check the images, or add --affine centre",
            ) from error  # fmt: skip


class ReadSubjectd(Transform):
    """Make of "image" and, if labelled, "label", paths or `ImageFile`s, (1, *S) on a grid as `ReadPaird` makes it.

    Both are float32, as augmentation computes. Raises InputError for ids that this does not hold exactly.
    """

    def __init__(self, pixdim: float | None = None, spatial_dims: int | None = None) -> None:
        self.pixdim = pixdim
        self.spatial_dims = spatial_dims

    def __call__(self, data: Mapping[str, Any]) -> dict[str, Any]:
        files = opened_files(data, ("image", "label"))
        image = image_for_itk(files["image"])
        if self.spatial_dims is not None:
            check_plane_or_volume(image, files["image"].path, self.spatial_dims)
        grid = working_grid(files["image"], self.pixdim)
        out = {**data, "image": from_itk(resample(image, grid, identity(grid)))}
        if "label" in files:
            largest = np.abs(files["label"].values).max()
            if largest > FLOAT_IDS:
                raise InputError(
                    files["label"].path, expected=f"ids up to {FLOAT_IDS:,} to learn from", got=largest,
                    fix="number the labels anew",
                )  # fmt: skip
            out["label"] = from_itk(ids_of_fixed(files["label"], files["image"], grid))
        return out


def working_grid(file: ImageFile, pixdim: float | None = None) -> sitk.Image:
    """The grid of an image with its axes in the order and direction of RAS, or those two of them that a slice has.

    pixdim: its spacing in mm; None keeps that of the image. The outer faces of its voxels stay where they are, as far
    as whole voxels can. That of a picture is the picture's. Raises InputError where it would not fit into memory.
    """
    image = to_itk(file)
    if file.is_raster:
        return image
    turn = axes_toward(file, ("R", "A", "S"))
    matrix = matrix_of_grid(image) @ nib.orientations.inv_ornt_aff(turn, image.GetSize())
    size = np.array(image.GetSize())[turn[:, 0].argsort()]
    spacing = np.linalg.norm(matrix[:-1, :-1], axis=0)
    check_grid(size.tolist(), spacing.tolist(), pixdim, file.path)
    if pixdim is not None and max((spacing / pixdim).max(), (pixdim / spacing).max()) > LIKE_PIXDIM:
        new_size = np.maximum(np.rint(size * spacing / pixdim), 1)
        factor = size / new_size
        matrix[:-1, -1] += matrix[:-1, :-1] @ ((factor - 1) / 2)
        matrix[:-1, :-1] *= factor
        size = new_size
    return grid_of(size.astype(int).tolist(), matrix)


def axes_toward(file: ImageFile, codes: Sequence[str]) -> np.ndarray:
    """How the axes of a NIfTI image or DICOM series are to be turned toward `codes`: nibabel's orientation (D, 2).

    codes: a letter each of R or L, A or P, S or I. A slice is turned toward those two that it has.
    """
    shape = (*file.shape, 1)[:3]
    wanted = nib.orientations.axcodes2ornt(codes)
    turn = nib.orientations.ornt_transform(nib.io_orientation(file.affine), wanted)
    if 1 in shape:
        turn = np.delete(turn, shape.index(1), axis=0)
    return np.stack([turn[:, 0].argsort().argsort(), turn[:, 1]], axis=1).astype(int)


def check_kinds(moving: ImageFile, fixed: ImageFile) -> None:
    """Raise InputError for a picture with a scan: it has neither a spacing nor a place."""
    if moving.is_raster != fixed.is_raster:
        picture, scan = (moving, fixed) if moving.is_raster else (fixed, moving)
        raise InputError(
            picture.path, expected=f"a scan, as {scan.path}", got="a picture",
            fix="give two scans (NIfTI, DICOM, …) or two pictures",
        )  # fmt: skip


def check_plane_or_volume(image: sitk.Image, path: Path, spatial_dims: int) -> None:
    """Raise InputError for a volume where a plane, `spatial_dims` 2, is expected, or the other way round."""
    if image.GetDimension() != spatial_dims:
        raise InputError(
            path, expected=f"{spatial_dims} dimensions", got=f"{image.GetDimension()} {image.GetSize()}",
            fix="give slices or pictures" if spatial_dims == 2 else "give volumes",
        )  # fmt: skip


def image_for_itk(file: ImageFile) -> sitk.Image:
    """An image of a pair as ITK has it, gray. Raises InputError where it has no contrast, or NaN or Inf."""
    gray = match_channels(file, 1)
    check_intensities(gray, file.path)
    return to_itk(replace(file, values=gray.numpy()))


def _voxels_of(moving: sitk.Image, grid: sitk.Image, transform: sitk.Transform) -> float:
    """How many voxels of `grid` the moving image would fill, which `transform` leads to."""
    shrinking = abs(np.linalg.det(matrix_of(transform)))
    return float(np.prod(moving.GetSize()) * np.prod(moving.GetSpacing()) / np.prod(grid.GetSpacing()) / shrinking)
