"""Heads are aligned by the structures that are found in both."""

from itertools import product

import numpy as np
import pytest
import SimpleITK as sitk
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from shared.spatial.itk import from_itk, matrix_of, resample, transform_of
from shared.tasks.registration.structures import LEAST_STRUCTURES, StructureAligner, barycentres, fit_affine

BALLS = 12


class Levels(nn.Module):
    """Stands for a network with a guide: it finds the structure k where an image is k / `BALLS` all around."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def segmented(self, image: Tensor) -> Tensor:
        assert not self.training  # or norms would take this image's statistics, and learn them
        levels = torch.arange(BALLS + 1).reshape(1, -1, 1, 1, 1)
        lowest, highest = -F.max_pool3d(-image, 2) * BALLS, F.max_pool3d(image, 2) * BALLS  # alike within a ball
        return -60 * ((lowest - levels).abs() + (highest - levels).abs())


def balls(matrix: np.ndarray | None = None) -> sitk.Image:
    """Balls of `BALLS` intensities in a volume of 2 mm, seen through a matrix of points, if it is given."""
    places = np.stack(np.meshgrid(*[np.arange(40.0)] * 3, indexing="ij"))
    volume = np.zeros([40] * 3, np.float32)
    for level, centre in enumerate(product((9, 20, 30), (12, 27), (11, 28)), start=1):
        volume[np.square(places - np.reshape(centre, [3, 1, 1, 1])).sum(axis=0) < 25] = level / BALLS
    image = sitk.GetImageFromArray(volume.T)
    image.SetSpacing([2.0] * 3)
    return image if matrix is None else resample(image, image, transform_of(matrix), nearest=True)


def turned(degrees: float) -> np.ndarray:
    """A turn around the middle of `balls`, with a stretch and a shift."""
    angle, middle = np.radians(degrees), np.full(3, 39.0)
    linear = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1.1]])
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = linear, middle - linear @ middle + [2.0, -3.0, 1.0]
    return matrix


@pytest.mark.parametrize("degrees", [0, 40])
def test_a_head_that_is_turned_stretched_and_shifted_is_aligned(degrees: float) -> None:
    fixed, moving = balls(), balls(np.linalg.inv(turned(degrees)))
    found = StructureAligner(Levels(), bfloat16=False)(moving, fixed, moving, fixed)  # type: ignore[arg-type]
    assert found is not None
    corners = np.array([[20.0, 20, 20, 1], [60, 20, 40, 1], [20, 60, 60, 1]]).T
    # A voxel: this guide sees but the inner cells, of 4 mm, of balls that are 20 mm wide.
    np.testing.assert_allclose((matrix_of(found) @ corners)[:3], (turned(degrees) @ corners)[:3], atol=2.0)
    moved = from_itk(resample(moving, fixed, found, nearest=True))
    assert float((moved == from_itk(fixed)).float()[from_itk(fixed) > 0].mean()) > 0.7


def test_what_shows_no_structures_is_not_aligned() -> None:
    noise = sitk.GetImageFromArray(np.random.default_rng(0).random([24] * 3, np.float32))
    assert StructureAligner(Levels())(noise, balls(), noise, balls()) is None  # type: ignore[arg-type]


def test_the_barycentre_is_that_of_the_voxels_that_are_sure() -> None:
    maps = torch.zeros(2, 8, 6)
    maps[0, 2:4, 1] = 0.9
    maps[0, 7] = 0.4  # as likely something else
    places, masses = barycentres(maps)
    assert places[0].tolist() == pytest.approx([2.5, 1])
    assert masses.tolist() == pytest.approx([1.8, 0])


def test_an_affine_map_is_found_though_a_structure_is_somewhere_else() -> None:
    rng = np.random.default_rng(0)
    places, masses, matrix = rng.uniform(0, 100, [20, 3]), np.full(20, 50.0), turned(20)
    moved = places @ matrix[:3, :3].T + matrix[:3, 3]
    moved[3] += 60
    found = fit_affine((places, masses), (moved, masses))
    assert found is not None
    # Least squares without the weights would miss by several mm.
    np.testing.assert_allclose(
        np.c_[places, np.ones(20)] @ found[:3].T, places @ matrix[:3, :3].T + matrix[:3, 3], atol=1.0
    )


@pytest.mark.parametrize("case", ["few", "small", "scattered", "mirrored"])
def test_no_affine_map_is_made_of_what_tells_none(case: str) -> None:
    rng = np.random.default_rng(0)
    count = LEAST_STRUCTURES - 1 if case == "few" else 20
    places, masses = rng.uniform(0, 100, [count, 3]), np.full(count, 5.0 if case == "small" else 50.0)
    goal = {"scattered": rng.uniform(0, 100, [count, 3]), "mirrored": places * [-1, 1, 1]}.get(case, places)
    assert fit_affine((places, masses), (goal, masses)) is None
