"""The affine stage: images laid onto one another by a rigid or affine transform, before a network bends them."""

from typing import Any

import numpy as np
import SimpleITK as sitk

from shared.spatial.itk import grid_of, identity, matrix_of, matrix_of_grid, resample, transform_of

ALIGNMENTS = ("none", "centre", "rigid", "affine")
# Of the pyramid of the affine stage: at each level images are shrunk by this much after a blur of as many voxels.
SHRINK_FACTORS, SMOOTHING_VOXELS = (4, 2, 1), (2.0, 1.0, 0.0)
MUTUAL_INFORMATION_BINS, ITERATIONS = 32, 200
SAMPLED_VOXELS = 50_000  # at most, in the affine stage


def align(moving: sitk.Image, fixed: sitk.Image, alignment: str) -> sitk.Transform:
    """The transform that leads from points of `fixed` to points of `moving`: one of ALIGNMENTS.

    "centre" moves the images' centres onto one another. The others start from that, or, where the moving image is a
    part whose own coordinates make the two more alike, from these; they maximise Mattes' mutual information, of what
    both images show alone, over a Gaussian pyramid. The affine one starts from the rigid one.
    Source: SimpleITK's ImageRegistrationMethod.
    """
    dims = fixed.GetDimension()
    if alignment == "none":
        return identity(fixed)
    rigid = sitk.Euler2DTransform() if dims == 2 else sitk.Euler3DTransform()
    start = sitk.CenteredTransformInitializer(fixed, moving, rigid, sitk.CenteredTransformInitializerFilter.GEOMETRY)
    if alignment == "centre":
        return start
    found = _optimise(moving, fixed, _better_start(moving, fixed, start))
    if alignment == "rigid":
        return found
    affine = sitk.AffineTransform(dims)
    affine.SetCenter(found.GetCenter())
    affine.SetMatrix(found.GetMatrix())
    affine.SetTranslation(found.GetTranslation())
    return _optimise(moving, fixed, affine)


def align_in_place(moving: sitk.Image, fixed: sitk.Image, place: np.ndarray, alignment: str) -> sitk.Transform:
    """As `align`, of slices each of which has a frame of its own.

    place: (D + 1, D + 1), from points of `fixed` to points of `moving` at the same place (see `between`).
    """
    if np.array_equal(place, np.eye(len(place))):
        return align(moving, fixed, alignment)
    seen = grid_of(moving.GetSize(), np.linalg.inv(place) @ matrix_of_grid(moving))
    placed = sitk.Image(moving)
    placed.CopyInformation(seen)
    return transform_of(place @ matrix_of(align(placed, fixed, alignment)))


def extent_of(image: sitk.Image) -> sitk.Image:
    """What is 1 wherever `image` is."""
    ones = sitk.Image(image.GetSize(), sitk.sitkUInt8) + 1
    ones.CopyInformation(image)
    return ones


def _better_start(moving: sitk.Image, fixed: sitk.Image, centred: Any) -> Any:
    """`centred`, or, where the moving image is a part that is more like the fixed one in place, no movement."""
    inside = sitk.GetArrayViewFromImage(resample(extent_of(moving), fixed, identity(fixed), nearest=True))
    if inside.all() or not inside.any():
        return centred
    still = type(centred)(centred)
    still.SetIdentity()
    still.SetFixedParameters(centred.GetFixedParameters())
    return min(centred, still, key=lambda start: _unlikeness(moving, fixed, start))


def _unlikeness(moving: sitk.Image, fixed: sitk.Image, start: sitk.Transform) -> float:
    method = _comparison(fixed)
    method.SetInitialTransform(start, inPlace=False)
    try:
        return float(method.MetricEvaluate(*(sitk.Cast(image, sitk.sitkFloat32) for image in (fixed, moving))))
    except RuntimeError:  # of hardly an overlap
        return float("inf")


def _comparison(fixed: sitk.Image) -> sitk.ImageRegistrationMethod:
    """What compares images at voxels of `fixed`, of which those count that lead into the moving image."""
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(MUTUAL_INFORMATION_BINS)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentage(min(1.0, SAMPLED_VOXELS / np.prod(fixed.GetSize())), seed=1)
    method.SetInterpolator(sitk.sitkLinear)
    return method


def _optimise(moving: sitk.Image, fixed: sitk.Image, start: sitk.Transform) -> Any:  # of the class of `start`
    method = _comparison(fixed)
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
