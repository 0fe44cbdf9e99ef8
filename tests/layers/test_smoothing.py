import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter

from shared.layers.smoothing import Smoothing, box_sum


@pytest.mark.parametrize("window", [1, 3, 5, 9, 15, 21])
@pytest.mark.parametrize("size", [(7, 30), (6, 11, 9)])
def test_box_sums_are_those_of_a_convolution_with_ones(size: tuple[int, ...], window: int) -> None:
    """Windows larger than the image included."""
    x = torch.rand(2, 3, *size, dtype=torch.float64)
    convolve = {2: F.conv2d, 3: F.conv3d}[len(size)]
    ones = torch.ones(3, 1, *[window] * len(size), dtype=torch.float64)
    torch.testing.assert_close(box_sum(x, window), convolve(x, ones, padding=window // 2, groups=3))


def test_sums_over_long_axes_keep_float32s_digits() -> None:
    x = torch.rand(1, 1, 20000, 3) + 1000
    # A running sum of 2e7 would be in steps of 2 in float32, and a window's 3e3 wrong in its fourth digit.
    torch.testing.assert_close(box_sum(x, 3).double(), box_sum(x.double(), 3), rtol=1e-6, atol=0)


@pytest.mark.parametrize("kind", ["average", "gaussian"])
@pytest.mark.parametrize("size", [(24, 26), (24, 26, 22)])
def test_a_smoothed_point_is_the_window_and_keeps_its_sum(size: tuple[int, ...], kind: str) -> None:
    x = torch.zeros(1, 1, *size)
    x[0, 0, *[12] * len(size)] = 1
    smoothed = Smoothing(kind, 7)(x)
    # As far from the border as the window is wide, nothing is lost; ones and Gaussians are summed in float32.
    assert float(smoothed.sum()) == pytest.approx(1, abs=1e-5)
    assert int((smoothed > 0).sum()) == 7 ** len(size)
    assert float(smoothed.amax()) == float(smoothed[0, 0, *[12] * len(size)])
    if kind == "average":
        torch.testing.assert_close(smoothed[smoothed > 0], torch.full((7 ** len(size),), 7.0 ** -len(size)))


@pytest.mark.parametrize("size", [(24, 26), (14, 16, 15)])
def test_a_gaussian_is_scipys_of_a_sixth_of_the_width(size: tuple[int, ...]) -> None:
    x = torch.rand(*size, generator=torch.Generator().manual_seed(0))
    expected = gaussian_filter(x.numpy(), sigma=13 / 6, radius=6, mode="constant")
    np.testing.assert_allclose(Smoothing("gaussian", 13)(x[None, None])[0, 0].numpy(), expected, rtol=1e-4)


@pytest.mark.parametrize("kind", ["average", "gaussian"])
def test_a_volume_constant_along_an_axis_is_smoothed_as_its_plane(kind: str) -> None:
    plane = torch.rand(1, 2, 20, 23)
    volume = plane[..., None].expand(-1, -1, -1, -1, 31)
    # Far from the ends of the third axis, where the zeros outside are not seen.
    torch.testing.assert_close(Smoothing(kind, 5)(volume)[..., 15], Smoothing(kind, 5)(plane))


def test_passes_repeat_and_none_does_nothing() -> None:
    x = torch.rand(1, 2, 12, 15)
    torch.testing.assert_close(
        Smoothing("average", 3, passes=2)(x), Smoothing("average", 3)(Smoothing("average", 3)(x))
    )
    assert Smoothing("none")(x) is x


def test_what_is_no_window_is_refused() -> None:
    with pytest.raises(ValueError, match="one of average, gaussian, none, got 'median'"):
        Smoothing("median")
    with pytest.raises(ValueError, match="an odd width, got 4"):
        Smoothing("average", 4)
