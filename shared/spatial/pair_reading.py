"""Reading a pair of images onto one grid, which is what registration networks look at."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch
from monai.data import MetaTensor
from monai.transforms import Transform

from shared.data.checking import check_intensities, match_channels
from shared.data.reading import read_image
from shared.errors import InputError
from shared.spatial.itk import from_itk, resample, to_itk

ALIGNMENTS = ("none", "rigid", "affine")
# Of the pyramid of the affine stage: at each level images are shrunk by this much after a blur of as many voxels.
SHRINK_FACTORS, SMOOTHING_VOXELS = (4, 2, 1), (2.0, 1.0, 0.0)
MUTUAL_INFORMATION_BINS, ITERATIONS = 32, 200
SAMPLED_VOXELS = 50_000  # that the affine stage looks at, at most


class ReadPaird(Transform):
    """Read "moving" and "fixed" into "image": (2, *S), the moving and the fixed image on the grid of the fixed one.

    S = (x, y[, z]): a picture's columns come first, and a slice stored as a volume becomes the plane it is. Colour
    becomes luminance. alignment: "none" trusts the images' own coordinates; "rigid" and "affine" first align them, and
    "initial", (D + 1, D + 1), is the matrix that leads from fixed to moving points, in mm as ITK has them.
    Raises InputError for an image that cannot be used, a pair of different dimensions, or an unknown alignment.
    """

    def __init__(self, alignment: str | None = None) -> None:
        self.alignment = alignment or "none"
        if self.alignment not in ALIGNMENTS:
            raise InputError(
                "--affine", expected=f"one of {', '.join(ALIGNMENTS)}", got=repr(alignment), fix="choose one of these"
            )

    def __call__(self, data: Mapping[str, Any]) -> dict[str, Any]:
        moving, fixed = (read_for_itk(data[key]) for key in ("moving", "fixed"))
        if moving.GetDimension() != fixed.GetDimension():
            raise InputError(
                data["moving"], expected=f"{fixed.GetDimension()} dimensions, as {data['fixed']}",
                got=moving.GetDimension(), fix="give two slices or two volumes",
            )  # fmt: skip
        initial = align(moving, fixed, self.alignment)
        channels = [from_itk(resample(moving, fixed, initial)), from_itk(fixed)]
        if float(channels[0].amin()) == float(channels[0].amax()):
            raise InputError(
                data["moving"], expected=f"an image that overlaps {data['fixed']}", got="one that is elsewhere",
                fix="check the affines, or add --affine rigid",
            )  # fmt: skip
        image = MetaTensor(torch.cat(channels), meta={"filename_or_obj": str(data["fixed"])})
        return {**data, "image": image, "initial": matrix_of(initial)}


def read_for_itk(path: str, *, as_ids: bool = False) -> sitk.Image:
    """One image of a pair, or with `as_ids` its label map, as ITK has it. Raises InputError where it is unusable."""
    image = read_image(path, as_ids=as_ids)
    if as_ids:
        return to_itk(image)
    image = match_channels(image, path, 1)
    check_intensities(image, path)
    return to_itk(image)


def align(moving: sitk.Image, fixed: sitk.Image, alignment: str) -> sitk.Transform:
    """The identity, or the rigid or affine transform that leads from points of `fixed` to points of `moving`.

    By Mattes' mutual information over a Gaussian pyramid, from the images' centres; an affine one starts from the
    rigid one. Source: SimpleITK's ImageRegistrationMethod.
    """
    dims = fixed.GetDimension()
    if alignment == "none":
        return sitk.Transform(dims, sitk.sitkIdentity)
    rigid = sitk.Euler2DTransform() if dims == 2 else sitk.Euler3DTransform()
    start = sitk.CenteredTransformInitializer(fixed, moving, rigid, sitk.CenteredTransformInitializerFilter.GEOMETRY)
    found = _optimise(moving, fixed, start)
    if alignment == "rigid":
        return found
    affine = sitk.AffineTransform(dims)
    affine.SetCenter(found.GetCenter())
    affine.SetMatrix(found.GetMatrix())
    affine.SetTranslation(found.GetTranslation())
    return _optimise(moving, fixed, affine)


def matrix_of(transform: sitk.Transform) -> np.ndarray:
    """The (D + 1, D + 1) matrix of a transform that is linear."""
    dims = transform.GetDimension()
    origin = np.array(transform.TransformPoint((0.0,) * dims))
    columns = [np.array(transform.TransformPoint(axis)) - origin for axis in np.eye(dims).tolist()]
    matrix = np.eye(dims + 1)
    matrix[:dims, :dims], matrix[:dims, dims] = np.stack(columns, axis=1), origin
    return matrix


def transform_of(matrix: np.ndarray) -> sitk.Transform:
    """The transform that `matrix_of` came from."""
    dims = len(matrix) - 1
    return sitk.AffineTransform(matrix[:dims, :dims].ravel().tolist(), matrix[:dims, dims].tolist(), [0.0] * dims)


def _optimise(moving: sitk.Image, fixed: sitk.Image, start: sitk.Transform) -> Any:  # of the class of `start`
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(MUTUAL_INFORMATION_BINS)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentage(min(1.0, SAMPLED_VOXELS / np.prod(fixed.GetSize())), seed=1)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsGradientDescentLineSearch(learningRate=1.0, numberOfIterations=ITERATIONS)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel(SHRINK_FACTORS)
    method.SetSmoothingSigmasPerLevel(SMOOTHING_VOXELS)
    method.SetSmoothingSigmasAreSpecifiedInPhysicalUnits(False)
    method.SetInitialTransform(start, inPlace=False)
    found = method.Execute(sitk.Cast(fixed, sitk.sitkFloat32), sitk.Cast(moving, sitk.sitkFloat32))
    while found.GetName() == "CompositeTransform":
        found = sitk.CompositeTransform(found).GetBackTransform()
    return found
