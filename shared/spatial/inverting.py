"""The way back through a displacement field, found point by point."""

import numpy as np
import SimpleITK as sitk
from scipy.ndimage import map_coordinates

from shared.spatial.itk import displacement_to_itk, matrix_of_grid

TOLERANCE_MM = 1e-3
STEPS = 100  # fields of the zoo need 5 to 30


def before_field(points: np.ndarray, field: sitk.Image) -> np.ndarray:
    """(N, D): the points that an ITK field moves to `points`, (N, D), all in mm as ITK has them.

    Beyond its grid the field goes on as at its border. Where it folds several points may move to one: one is found.
    Newton's steps with the derivative of the affine that is nearest to the field, so that a large turn does no harm;
    they end within `TOLERANCE_MM` wherever what the field adds to that affine stretches by less than 2.
    """
    vectors, to_voxels = sitk.GetArrayFromImage(field), np.linalg.inv(matrix_of_grid(field))
    affine = _nearest_affine(vectors, matrix_of_grid(field))
    dims = points.shape[1]
    back = np.linalg.inv(affine[:dims, :dims])
    found = (points - affine[:dims, dims]) @ back.T
    open_ = np.arange(len(points))  # not yet found
    for _ in range(STEPS):
        missed = found[open_] + _sampled(vectors, found[open_], to_voxels) - points[open_]
        far = np.linalg.norm(missed, axis=1) > TOLERANCE_MM
        if not far.any():
            break
        open_ = open_[far]
        found[open_] -= missed[far] @ back.T
    return found


def inverse_field(field: sitk.Image, grid: sitk.Image) -> sitk.Image:
    """The ITK field on `grid`, that of the moving image, which leads from its points to those of the fixed one."""
    points = _applied(matrix_of_grid(grid), np.indices(grid.GetSize()).reshape(grid.GetDimension(), -1).T)
    vectors = before_field(points, field) - points
    in_voxels = vectors @ np.linalg.inv(matrix_of_grid(grid)[:-1, :-1]).T
    return displacement_to_itk(in_voxels.T.reshape(-1, *grid.GetSize()), grid)


def _sampled(vectors: np.ndarray, points: np.ndarray, to_voxels: np.ndarray) -> np.ndarray:
    """(N, D): a field (…, y, x, D) at points (N, D), linear between its voxels."""
    places = _applied(to_voxels, points).T[::-1]
    parts = [map_coordinates(vectors[..., i], places, order=1, mode="nearest") for i in range(vectors.shape[-1])]
    return np.stack(parts, axis=1)


def _nearest_affine(vectors: np.ndarray, to_points: np.ndarray) -> np.ndarray:
    """(D + 1, D + 1): what a field (…, y, x, D) does to points, by least squares over some thousand voxels."""
    size = vectors.shape[-2::-1]
    every = max(1, round((np.prod(size) / 4096) ** (1 / len(size))))
    lines = [np.unique([*range(0, s, every), s - 1]) for s in size]
    voxels = np.stack(np.meshgrid(*lines, indexing="ij")).reshape(len(size), -1).T
    points = _applied(to_points, voxels)
    moved = points + vectors[tuple(voxels.T[::-1])]
    solution = np.linalg.lstsq(np.column_stack([points, np.ones(len(points))]), moved, rcond=None)[0]
    return np.vstack([solution.T, [0.0] * len(size) + [1.0]])


def _applied(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    return points @ matrix[:-1, :-1].T + matrix[:-1, -1]
