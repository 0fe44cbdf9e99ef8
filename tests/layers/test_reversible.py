"""Reversible pairs have the gradients of the same pairs with everything kept, and keep their output alone."""

from copy import deepcopy
from functools import partial

import pytest
import torch
from torch import Tensor

from shared.layers.reversible import ReversibleSequence
from shared.layers.undoing import run_pairs
from tests.running import kept_bytes


def gradients(sequence: ReversibleSequence, x: Tensor, *, kept: bool) -> list[Tensor]:
    """Output, gradients of `x` and of the parameters, and the statistics after it."""
    x = x.clone().requires_grad_()
    output = run_pairs(sequence.pairs, x) if kept else sequence(x)
    (output * torch.linspace(-1, 2, output.numel(), dtype=output.dtype).view_as(output)).sum().backward()
    found = [x.grad, *(parameter.grad for parameter in sequence.parameters())]
    return [output, *(gradient for gradient in found if gradient is not None), *sequence.buffers()]


@pytest.mark.parametrize("norm", ["batch", "instance"])
@pytest.mark.parametrize("dims", [2, 3])
def test_gradients_are_those_of_the_pairs_with_everything_kept(dims: int, norm: str) -> None:
    torch.manual_seed(0)
    sequence = ReversibleSequence(dims, 4, pairs=3, norm=norm).double()
    x = torch.randn(2, 4, *[5, 6, 4][:dims], dtype=torch.float64)
    expected, found = gradients(deepcopy(sequence), x, kept=True), gradients(sequence, x, kept=False)
    assert len(found) == len(expected) >= 2 + len(list(sequence.parameters()))
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)  # float64, undone by subtraction


def test_gradients_are_those_of_finite_differences() -> None:
    torch.manual_seed(0)
    sequence = ReversibleSequence(2, 2, pairs=2, norm="instance", act="mish").double()
    x = torch.randn(1, 2, 3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, *_: sequence(x), (x, *sequence.parameters()), fast_mode=True)


@pytest.mark.parametrize("pairs", [1, 4])
def test_of_any_number_of_pairs_one_map_is_kept(pairs: int) -> None:
    sequence, x = ReversibleSequence(2, 8, pairs=pairs), torch.rand(1, 8, 64, 64, requires_grad=True)
    undone, stored = kept_bytes(partial(sequence, x)), kept_bytes(partial(run_pairs, sequence.pairs, x))
    assert undone == x.nbytes
    assert stored > 2 * pairs * undone  # of each function what goes into its norm and its convolution: 4 halves


def test_in_bfloat16_gradients_stay_close() -> None:
    """The sums are in float32, so that only the functions round: to 8 bits, 0.4 %, in each of 8 of them."""
    torch.manual_seed(0)
    sequence, x = ReversibleSequence(2, 8, pairs=4), torch.randn(2, 8, 12, 12)
    with torch.autocast("cpu", torch.bfloat16):
        expected, found = gradients(deepcopy(sequence), x, kept=True), gradients(sequence, x, kept=False)
    for one, other in zip(expected, found):
        assert (one - other).float().norm() <= 0.05 * one.float().norm()  # batches are counted in integers


def test_a_frozen_parameter_gets_no_gradient_and_the_others_do() -> None:
    sequence = ReversibleSequence(2, 4, pairs=2)
    frozen, *others = sequence.parameters()
    frozen.requires_grad = False
    sequence(torch.rand(1, 4, 8, 8)).sum().backward()
    assert frozen.grad is None
    assert all(parameter.grad is not None for parameter in others)


def test_an_odd_number_of_channels_is_refused() -> None:
    with pytest.raises(ValueError, match=r"even number of channels.*got 5"):
        ReversibleSequence(2, 5, pairs=1)
