import pytest
import torch
from torch import Tensor

from shared.tasks.registration.mutual_information import BINS, EDGE, mutual_information_loss

SPLINE = (1 / 6, 4 / 6, 1 / 6)  # the cubic B-spline at a value on the middle of a bin


@pytest.fixture(autouse=True)
def _same_numbers_each_time() -> None:
    torch.manual_seed(0)


def information(joint: Tensor) -> float:
    """In nats, of a table of counts."""
    joint = joint / joint.sum()
    apart = joint.sum(0, keepdim=True) * joint.sum(1, keepdim=True)
    return float((joint * (joint / apart).log())[joint > 0].sum())


@pytest.mark.parametrize("size", [(30, 40), (9, 10, 12)])
def test_it_is_that_of_a_plain_histogram_smoothed_by_the_windows(size: tuple[int, ...]) -> None:
    steps = BINS - 1 - 2 * EDGE
    a = torch.randint(0, steps + 1, (1, 1, *size))
    b = ((a + torch.randint(0, 6, a.shape)) % BINS).double()
    plain = torch.zeros(BINS, BINS, dtype=torch.float64)
    for of_a, of_b in zip(a.flatten().tolist(), b.flatten().long().tolist()):
        for offset, share in zip((-1, 0, 1), SPLINE):
            plain[of_b, of_a + EDGE + offset] += share
    loss = mutual_information_loss(a.double() / steps, b / (BINS - 1))
    assert float(loss) == pytest.approx(-information(plain), abs=1e-6)


def test_a_relation_of_any_kind_counts_and_chance_does_not() -> None:
    a, other = torch.rand(2, 1, 1, 100, 100).unbind()
    related = float(mutual_information_loss(a, (2 * a - 1).abs()))
    # Of 28 bins, wide as the window is, two and a half remain to be told apart: log 28/4 or so. Chance gives the number
    # of cells over twice that of voxels, 32 · 28 / 20,000.
    assert related < -1.5
    assert -0.06 < float(mutual_information_loss(a, other)) < 0


def test_pairs_of_a_batch_are_counted_apart() -> None:
    a, b = torch.rand(2, 3, 1, 20, 20).unbind()
    apart = [mutual_information_loss(x[None], y[None]) for x, y in zip(a, b)]
    torch.testing.assert_close(mutual_information_loss(a, b), torch.stack(apart).mean())


@pytest.mark.parametrize("size", [(6, 7), (4, 5, 6)])
def test_the_gradient_is_right(size: tuple[int, ...]) -> None:
    a = (0.1 + 0.8 * torch.rand(2, 1, *size, dtype=torch.float64)).requires_grad_()
    b, inside = torch.rand(2, 1, *size, dtype=torch.float64), (torch.rand(2, 1, *size) > 0.3).double()
    assert torch.autograd.gradcheck(lambda a: mutual_information_loss(a, b, inside=inside), (a,))


def test_a_constant_image_has_no_information_and_a_gradient() -> None:
    flat = torch.zeros(1, 1, 12, 12, requires_grad=True)
    loss = mutual_information_loss(flat, torch.rand(1, 1, 12, 12).bfloat16())
    loss.backward()
    assert loss.dtype == torch.float32
    assert float(loss.detach()) == pytest.approx(0, abs=1e-6)
    assert flat.grad is not None
    assert torch.isfinite(flat.grad).all()
