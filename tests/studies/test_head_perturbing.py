"""Heads that are made worse: what was where stays there, by the affine, and labels go with it."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from shared.images.file import ImageFile
from shared.studies.head_perturbing import PERTURBATIONS, Head, add_bias, add_noise, cut, invert, rotate, thicken_slices

AFFINE = np.array([[0, 0, -2.0, 60], [-2, 0, 0, 70], [0, 2, 0, -50], [0, 0, 0, 1]])
SLOPES = np.array([1.0, 2.0, -1.5])  # of the intensities of `head`, a mm along each axis of RAS


def places(affine: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """(*S, 3): mm."""
    return nib.affines.apply_affine(affine, np.moveaxis(np.indices(shape), 0, -1))


def head(number: int, shape: tuple[int, int, int] = (40, 44, 36)) -> Head:
    """Intensities that are linear in the place, and a reference of the half that is to the right."""
    at = places(AFFINE, shape)
    values = (500 + at @ SLOPES)[None].astype(np.float32)
    return Head(ImageFile(Path("head"), values, AFFINE), (at[..., 0] > 20).astype(np.uint8), number)


@pytest.mark.parametrize("number", range(6))
@pytest.mark.parametrize(("change", "level"), [(thicken_slices, 5.0), (rotate, 30.0), (cut, 0.33)])
def test_what_is_where_stays_there_on_another_grid(change: object, level: float, number: int) -> None:
    worse = change(head(number), level)  # type: ignore[operator]
    at = places(worse.image.affine, worse.image.shape)
    former = nib.affines.apply_affine(np.linalg.inv(AFFINE), at)
    # Slices see up to three standard deviations, 2.1 slices of 5 mm, beyond which a border is no longer linear.
    margin = 4
    inside = ((former > margin) & (former < np.array([40, 44, 36]) - 1 - margin)).all(axis=-1)
    assert inside.mean() > 0.2
    np.testing.assert_allclose(worse.image.values[0][inside], (500 + at @ SLOPES)[inside], atol=0.1)
    # Labels are those of the nearest voxel, half a diagonal of 2 mm away at most.
    clear = inside & (abs(at[..., 0] - 20) > 1.8)
    np.testing.assert_array_equal(worse.reference[clear], at[clear][:, 0] > 20)
    assert worse.reference.shape == worse.image.shape


@pytest.mark.parametrize("number", range(3))
def test_thick_slices_are_as_far_apart_as_they_are_thick_along_one_axis(number: int) -> None:
    worse = thicken_slices(head(number), 6.0)
    expected = [2.0, 2.0, 2.0]
    expected[number] = 6.0
    np.testing.assert_allclose(worse.spacing, expected)
    # A bright plane is seen by a Gaussian of 6 mm at half its maximum: half of the most in the slice 3 mm away.
    values = np.zeros((1, 45, 45, 45), dtype=np.float32)
    values[(slice(None),) * (number + 1) + (22,)] = 1
    plane = thicken_slices(Head(ImageFile(Path("plane"), values, np.diag([2.0, 2, 2, 1])), values[0], number), 6.0)
    profile = np.moveaxis(plane.image.values[0], number, 0)[:, 20, 20]
    assert profile[7] == profile.max()  # its centre is voxel 22
    assert profile[8] / profile[7] == pytest.approx(2**-4, rel=0.01)  # at 6 mm: a Gaussian at twice its half width


def test_a_turned_grid_holds_all_of_the_head() -> None:
    whole = head(0)
    worse = rotate(whole, 45.0)
    assert int(worse.reference.sum()) == pytest.approx(int(whole.reference.sum()), rel=0.02)  # voxels of one size


def test_a_cut_takes_the_share_from_one_end() -> None:
    first, other = cut(head(1), 0.25), cut(head(4), 0.25)
    assert first.image.shape == other.image.shape == (40, 33, 36)
    np.testing.assert_array_equal(first.image.values, head(1).image.values[:, :, :33])
    np.testing.assert_array_equal(other.image.values, head(1).image.values[:, :, 11:])


def test_noise_is_that_of_a_magnitude_and_repeats() -> None:
    values = np.full((1, 40, 40, 40), 0.0)
    values[:, 20:] = 100
    worse = add_noise(Head(ImageFile(Path("a"), values, np.eye(4)), values[0]), 0.1)
    dark, bright = worse.image.values[0, :20], worse.image.values[0, 20:]
    # Rayleigh's distribution in the dark, of mean 0.1 √(π / 2); 32,000 samples give half a percent.
    assert dark.mean() == pytest.approx(0.1 * np.sqrt(np.pi / 2), rel=0.02)
    assert bright.std() == pytest.approx(0.1, rel=0.02)
    again = add_noise(Head(ImageFile(Path("a"), values, np.eye(4)), values[0]), 0.1)
    np.testing.assert_array_equal(worse.image.values, again.image.values)


def test_a_bias_field_is_a_smooth_positive_factor() -> None:
    values = np.linspace(1, 2, 60**3, dtype=np.float32).reshape(1, 60, 60, 60)
    plain = Head(ImageFile(Path("a"), values, np.diag([4.0, 4, 4, 1])), values[0])
    factor = np.log(add_bias(plain, 0.5).image.values[0, 1:-1] / plain.scaled()[1:-1])
    assert 0.15 < factor.std() < 0.5  # 0.5 at the knots, less between them
    assert abs(np.diff(factor, axis=1)).max() < 0.5  # of voxels a tenth of the way from knot to knot


def test_inversion_turns_the_order_around_and_leaves_air_dark_unless_asked() -> None:
    values = np.repeat([0.0, 30, 60, 100], 1000).reshape(1, 10, 20, 20)
    plain = Head(ImageFile(Path("a"), values, np.eye(4)), values[0])
    alone, everything = (invert(plain, level).image.values[0].ravel()[::1000] for level in (1.0, 2.0))
    np.testing.assert_allclose(alone, [0, 0.75, 0.45, 0.05], atol=1e-6)
    np.testing.assert_allclose(everything, [1, 0.7, 0.4, 0], atol=1e-6)


def test_every_level_has_a_name_where_levels_have_names() -> None:
    for perturbation in PERTURBATIONS.values():
        assert len(perturbation.names) in (0, 1 + len(perturbation.levels))
        assert list(perturbation.levels) == sorted(perturbation.levels)
        assert perturbation.untouched < perturbation.levels[0]
