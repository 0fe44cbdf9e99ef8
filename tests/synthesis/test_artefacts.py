"""Bias fields, contrast curves, scaling and fields of view of synthetic images."""

import math

import pytest
import torch

from shared.synthesis.artefacts import random_bias, random_gamma, random_view, scaled
from shared.synthesis.ranges import Ranges


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_bias_field_is_smooth_positive_and_as_strong_as_its_range_says() -> None:
    logs = torch.stack([random_bias((40, 40, 40), 2.0, Ranges(), seeded(seed)).log() for seed in range(200)])
    assert logs.isfinite().all()
    # Between knots 40 mm apart, 20 voxels: neighbours differ by 0.5 * 2 * 4 standard deviations / 20 at the very most.
    assert max(float(logs.diff(dim=axis).abs().max()) for axis in (1, 2, 3)) < 0.2
    # 0.5 at most, 0.25 on average, less what linear interpolation takes: (2/3)^1.5 of a deviation.
    assert logs.square().mean(dim=(1, 2, 3)).sqrt().mean() == pytest.approx(0.25 * (2 / 3) ** 1.5, rel=0.15)


def test_gamma_is_log_normal() -> None:
    half = torch.tensor([0.5])
    exponents = torch.stack([random_gamma(half, Ranges(), seeded(seed)).log() / math.log(0.5) for seed in range(1000)])
    logs = exponents.log()
    assert abs(logs.mean()) < 0.05  # standard error 0.4 / sqrt(1000) = 0.013
    assert logs.std() == pytest.approx(0.4, abs=0.04)  # standard error 0.4 / sqrt(2000) = 0.009


def test_scaling_puts_the_bulk_between_0_and_1() -> None:
    image = torch.linspace(-50, 150, 70_007)
    result = scaled(image)
    assert result.min() == 0
    assert result.max() == 1
    # 0.5 % of 200 is 1 on either side.
    torch.testing.assert_close(result[10_001], (image[10_001] + 49) / 198, rtol=0, atol=1e-3)
    assert not scaled(torch.full((100, 100), 3.0)).any()


def test_a_view_is_a_box_that_lacks_at_most_the_share_of_one_axis() -> None:
    size = (30, 40, 50)
    views = [random_view(size, Ranges(crop=0.5, crop_share=0.34), seeded(seed)) for seed in range(400)]
    lacking = [[s - (v.stop - v.start) for v, s in zip(view, size)] for view in views]
    assert all(sum(count > 0 for count in lack) <= 1 for lack in lacking)
    assert all(v.start >= 0 and v.stop <= s for view in views for v, s in zip(view, size))
    most = [max(lack[axis] for lack in lacking) for axis in range(3)]
    assert all(0.3 * s <= m <= 0.34 * s for m, s in zip(most, size))
    cut = sum(any(lack) for lack in lacking) / 400
    assert cut == pytest.approx(0.5 * 0.93, abs=0.1)  # of those drawn some 7 % lose less than a voxel
