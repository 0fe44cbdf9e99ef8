"""Random shapes are as far from the plain one as their ranges say, and never fold."""

import math

import pytest
import torch

from shared.spatial.jacobian import jacobian_determinant
from shared.synthesis.ranges import Ranges
from shared.synthesis.shape import knots_of, random_affine, random_deformation, smooth_field

SIZES = [(48, 40), (48, 40, 32)]


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("size", SIZES)
def test_a_deformation_never_folds(size: tuple[int, ...]) -> None:
    # 3 mm between knots of 25 mm: the velocity's steepest slope is some 0.5 a voxel at 4 standard deviations.
    for seed in range(5):
        field = random_deformation(size, 2.0, Ranges(), seeded(seed))
        assert field.shape == (1, len(size), *size)
        assert jacobian_determinant(field).min() > 0


def test_a_deformation_is_as_long_as_its_range_says() -> None:
    """Half of the range on average: a standard deviation between 0 and 3 mm, on grids of 2 mm and of 4 mm alike."""
    for spacing in (2.0, 4.0):
        size = [round(96 / spacing)] * 2
        fields = [random_deformation(size, spacing, Ranges(), seeded(seed)) for seed in range(200)]
        rms_mm = spacing * torch.stack(fields).square().mean(dim=(1, 2, 3, 4)).sqrt()
        # Linear interpolation between knots takes the variance of a knot down to (2/3)^2 on average in 2D.
        assert rms_mm.mean() == pytest.approx(1.5 * 2 / 3, rel=0.15)
        assert rms_mm.max() < 3.5


def test_no_deformation_without_a_range() -> None:
    assert not random_deformation((16, 16), 2.0, Ranges(warp=0.0), seeded(0)).any()


@pytest.mark.parametrize("dims", [2, 3])
def test_an_affine_map_stays_within_its_ranges(dims: int) -> None:
    matrices = torch.stack([random_affine(dims, Ranges(shearing=0.0), seeded(seed)) for seed in range(300)])
    scales = matrices.square().sum(dim=1).sqrt()  # the columns of a rotation times a scaling are as long as its factors
    assert 0.85 <= scales.min() < 0.87
    assert 1.13 < scales.max() <= 1.15
    rotations = matrices / scales[:, None]
    torch.testing.assert_close(rotations @ rotations.mT, torch.eye(dims).expand(300, -1, -1), rtol=0, atol=1e-5)
    if dims == 2:
        angles = torch.rad2deg(torch.atan2(rotations[:, 1, 0], rotations[:, 0, 0]))
        assert 14 < angles.abs().max() <= 15
    assert (torch.linalg.det(matrices) > 0).all()


def test_a_plain_range_is_the_identity() -> None:
    still = Ranges(rotation=0, scaling=0, shearing=0)
    assert torch.equal(random_affine(3, still, seeded(0)), torch.eye(3))


def test_a_field_is_smooth_between_its_knots() -> None:
    """It changes from voxel to voxel by no more than two neighbouring knots differ, over the voxels in between."""
    knots = knots_of([97, 97], 1.0, 12.0)
    assert knots == [9, 9]
    field = smooth_field(1, [97, 97], knots, seeded(0))
    at_knots = field[..., ::12, ::12]
    steepest = at_knots.diff(dim=2).abs().max() / 12
    assert field.diff(dim=2).abs().max() <= steepest * (1 + 1e-4)
    assert at_knots.std() == pytest.approx(1, abs=3 / math.sqrt(2 * 81))  # three standard errors
