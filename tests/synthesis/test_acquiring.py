"""Scans of thick slices: their profiles, the way back onto the grid, and what noise is left."""

from typing import Any

import pytest
import torch

from shared.synthesis.acquiring import acquire, between_slices, slice_profile
from shared.synthesis.ranges import Ranges


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_slice_sees_a_gaussian_around_its_place() -> None:
    seen = slice_profile(60, 1.0, step=6.0, offset=3.0, deviation=2.0)
    assert seen.shape == (10, 60)
    torch.testing.assert_close(seen.sum(dim=1), torch.ones(10))
    voxels = torch.arange(60.0)
    middle = seen[4]  # the fifth slice, at 3 + 4 * 6 mm, far from both ends
    assert middle @ voxels == pytest.approx(27, abs=1e-3)
    assert (middle @ (voxels - 27) ** 2).sqrt() == pytest.approx(2, abs=1e-2)


def test_a_ramp_survives_thick_slices() -> None:
    """Symmetric profiles and linear interpolation keep what is linear, but near the ends, where profiles are cut."""
    step, offset = 5.0, 1.7
    seen = slice_profile(80, 1.0, step=step, offset=offset, deviation=1.5)
    back = between_slices(80, 1.0, step=step, offset=offset, slices=len(seen))
    ramp = torch.arange(80.0)
    torch.testing.assert_close((back @ seen @ ramp)[12:-12], ramp[12:-12], rtol=0, atol=1e-3)


@pytest.mark.parametrize("size", [(40, 36), (40, 36, 32)])
def test_a_constant_stays_as_it_is(size: tuple[int, ...]) -> None:
    for seed in range(6):
        scan = acquire(torch.full(size, 0.5), 2.0, Ranges(noise=0.0), seeded(seed))
        torch.testing.assert_close(scan, torch.full(size, 0.5))


def test_a_fine_scan_stays_sharp() -> None:
    image = torch.rand(24, 24, generator=seeded(0))
    fine = Ranges(noise=0.0, thin_slices=1.5, thick_slices=1.5)
    assert torch.equal(acquire(image, 2.0, fine, seeded(1)), image)


def test_thick_slices_blur_one_axis_and_thin_ones_all() -> None:
    """Neighbours of white noise differ by twice its variance, along an axis that is blurred by less."""
    image = torch.randn(64, 64, generator=seeded(0))
    blurred = set()
    for seed in range(20):
        scan = acquire(image, 1.0, Ranges(noise=0.0), seeded(seed))
        blurred.add(tuple(bool(scan.diff(dim=axis).var() < 1.5 * scan.var()) for axis in (0, 1)))
    assert {(True, False), (False, True), (True, True)} <= blurred


def test_noise_is_as_strong_as_its_range_says() -> None:
    flat = torch.zeros(64, 64)
    fine: dict[str, Any] = {"noise": 0.1, "thin_slices": 1.0, "thick_slices": 1.0}
    deviations = [float(acquire(flat, 2.0, Ranges(**fine), seeded(seed)).std()) for seed in range(200)]
    assert max(deviations) == pytest.approx(0.1, rel=0.05)
    # The mean of numbers uniform from 0 to 0.1; its standard error is 0.1 / sqrt(12 * 200) = 0.002.
    assert sum(deviations) / 200 == pytest.approx(0.05, abs=0.007)
