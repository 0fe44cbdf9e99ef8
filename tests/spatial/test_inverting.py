"""The way back through a displacement field: SimpleITK's transform of the one undoes the other."""

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from shared.spatial.inverting import before_field, inverse_field
from shared.spatial.itk import after_affine, displacement_to_itk, grid_of, transform_of
from shared.spatial.warping import integrate


def grid(size: tuple[int, ...]) -> sitk.Image:
    """A turned grid of unequal spacing, as files have it."""
    dims = len(size)
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(dims, dims)))[0]
    matrix = np.eye(dims + 1)
    matrix[:dims, :dims] = turn @ np.diag([1.0, 1.5, 0.8][:dims])
    matrix[:dims, dims] = [10.0, -20.0, 5.0][:dims]
    return grid_of(size, matrix)


def smooth_field(size: tuple[int, ...]) -> sitk.Image:
    """A diffeomorphism of up to some 4 voxels, as registrations give it."""
    noise = torch.as_tensor(np.random.default_rng(0).normal(size=(1, len(size), *[4] * len(size))), dtype=torch.float32)
    mode = {2: "bicubic", 3: "trilinear"}[len(size)]
    velocity = 3 * torch.nn.functional.interpolate(noise, size=size, mode=mode, align_corners=True)
    return displacement_to_itk(integrate(velocity)[0].numpy(), grid(size))


def inner_points(image: sitk.Image, margin: int = 8) -> np.ndarray:
    """Points further from the border than the field moves them."""
    ranges = [range(margin, s - margin, 3) for s in image.GetSize()]
    voxels = np.stack(np.meshgrid(*ranges, indexing="ij")).reshape(len(ranges), -1).T
    return np.array([image.TransformContinuousIndexToPhysicalPoint(voxel.tolist()) for voxel in voxels.astype(float)])


@pytest.mark.parametrize("size", [(40, 36), (32, 30, 28)], ids=["2D", "3D"])
@pytest.mark.parametrize("degrees", [0, 100], ids=["alone", "after a large turn"])
def test_itk_moves_what_is_found_to_the_point_asked_for(size: tuple[int, ...], degrees: float) -> None:
    turn = np.eye(len(size) + 1)
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn[:2, :2] = [[c, -s], [s, c]]
    field = after_affine(smooth_field(size), transform_of(turn), grid(size))
    start = inner_points(field)
    transform = sitk.DisplacementFieldTransform(sitk.Image(field))
    points = np.array([transform.TransformPoint(point) for point in start.tolist()])
    found = before_field(points, field)
    back = np.array([transform.TransformPoint(point) for point in found.tolist()])
    # 0.001 mm is what the search stops at, and ITK interpolates as it does.
    assert np.abs(back - points).max() < 2e-3
    # A diffeomorphism has one such point; its derivative is above 1 / 10 here.
    assert np.abs(found - start).max() < 2e-2


def test_the_inverse_field_undoes_the_field_to_a_hundredth_of_a_voxel() -> None:
    field = smooth_field((32, 30, 28))
    moving = grid((36, 32, 30))
    there, back = (sitk.DisplacementFieldTransform(sitk.Image(f)) for f in (field, inverse_field(field, moving)))
    # On the moving image's own voxels, where nothing is interpolated between vectors of the inverse.
    points = inner_points(moving, margin=10)
    both = np.array([there.TransformPoint(back.TransformPoint(point)) for point in points.tolist()])
    assert np.abs(both - points).max() < 0.8 * 0.01
