from typing import Any

import pytest
import torch
from monai.losses import LocalNormalizedCrossCorrelationLoss

from shared.tasks.registration.ncc import ncc_loss

SIZES = [(9, 12), (7, 8, 6)]


@pytest.fixture(autouse=True)
def _same_numbers_each_time() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("window", [3, 5])
def test_monai_finds_the_same_loss_in_a_window_that_holds_all_of_both(size: tuple[int, ...], window: int) -> None:
    """MONAI counts the zeros around an image as part of it; at the centre of a crop as large as the window none are."""
    a = torch.rand(2, 1, *size, dtype=torch.float64)
    b = a + 0.5 * torch.rand_like(a)
    monai = LocalNormalizedCrossCorrelationLoss(
        spatial_dims=len(size), kernel_size=window, smooth_nr=0, smooth_dr=1e-12, reduction="none"
    )
    for start in range(2):
        crop: Any = (..., *[slice(start, start + window)] * len(size))
        centre: Any = (slice(None), 0, *[window // 2] * len(size))
        theirs = float(monai(a[crop], b[crop])[centre].mean())
        # From each voxel of the crop, our window of twice its size sees all of the crop and nothing else.
        assert float(ncc_loss(a[crop], b[crop], window=2 * window + 1, epsilon=0.0)) == pytest.approx(theirs, rel=1e-6)


def test_equal_images_are_at_minus_1_whatever_gain_and_offset() -> None:
    a = torch.rand(1, 1, 20, 20)
    assert float(ncc_loss(a, a)) == pytest.approx(-1, abs=2e-3)  # epsilon of variances near 0.08
    assert float(ncc_loss(a, 5 - 3 * a)) == pytest.approx(-1, abs=2e-3)
    assert float(ncc_loss(a, torch.rand(1, 1, 20, 20))) > -0.1  # 81 voxels a window: chance gives 1/80


def test_windows_without_contrast_count_as_uncorrelated() -> None:
    flat = torch.full((1, 1, 16, 16), 700.0)
    assert float(ncc_loss(flat, flat)) == pytest.approx(0, abs=1e-6)
    assert torch.isfinite(ncc_loss(flat, torch.rand(1, 1, 16, 16)))


@pytest.mark.parametrize("size", [(6, 7), (4, 5, 6)])
def test_the_backward_pass_is_the_gradient(size: tuple[int, ...]) -> None:
    a, b = (torch.rand(2, 1, *size, dtype=torch.float64, requires_grad=True) for _ in range(2))
    assert torch.autograd.gradcheck(lambda a, b: ncc_loss(a, b, window=3), (a, b))
    assert torch.autograd.gradcheck(lambda a: ncc_loss(a, b.detach(), window=5), (a,))


def half(size: tuple[int, ...], first: int) -> torch.Tensor:
    """1 from so many voxels along the first axis on."""
    inside = torch.zeros(2, 1, *size, dtype=torch.float64)
    inside[:, :, first:] = 1
    return inside


def test_with_all_inside_the_loss_is_what_it_is_without() -> None:
    a, b = torch.rand(2, 2, 1, 9, 12).unbind()
    assert torch.equal(ncc_loss(a, b, inside=torch.ones(2, 1, 9, 12)), ncc_loss(a, b))


@pytest.mark.parametrize("size", SIZES)
def test_what_is_not_inside_is_not_seen_and_the_rest_is_as_if_cut_off(size: tuple[int, ...]) -> None:
    a, b, other = torch.rand(3, 2, 1, *size, dtype=torch.float64).unbind()
    inside = half(size, 3)
    given = ncc_loss(a, b, window=3, inside=inside)
    assert float(given) == float(
        ncc_loss(torch.where(inside > 0, a, 9 * other), b - (1 - inside), window=3, inside=inside)
    )
    cut = ncc_loss(a[:, :, 3:], b[:, :, 3:], window=3)
    share = (size[0] - 3) / size[0]
    # Windows around the first voxels inside have two thirds of theirs, those before them one third, and are left out.
    assert float(given) == pytest.approx(share * float(cut), rel=1e-9)


@pytest.mark.parametrize("size", [(6, 7), (4, 5, 6)])
def test_the_backward_pass_is_the_gradient_inside_and_zero_outside(size: tuple[int, ...]) -> None:
    a, b = (torch.rand(2, 1, *size, dtype=torch.float64, requires_grad=True) for _ in range(2))
    inside = half(size, 2)
    assert torch.autograd.gradcheck(lambda a, b: ncc_loss(a, b, window=3, inside=inside), (a, b))
    (gradient,) = torch.autograd.grad(ncc_loss(a, b, window=5, inside=inside), a)
    assert not (gradient * (1 - inside)).any()


def test_with_nothing_inside_nothing_is_alike() -> None:
    a = torch.rand(1, 1, 9, 12)
    assert float(ncc_loss(a, a, inside=torch.zeros(1, 1, 9, 12))) == 0


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(ValueError, match="one shape"):
        ncc_loss(torch.rand(1, 1, 4, 4), torch.rand(1, 1, 4, 5))
    with pytest.raises(ValueError, match="odd window"):
        ncc_loss(torch.rand(1, 1, 4, 4), torch.rand(1, 1, 4, 4), window=4)
