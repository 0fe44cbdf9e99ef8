"""Flows of a linear velocity, whose end is known: x ↦ exp(A) x."""

import pytest
import torch
from torch import Tensor, nn

from shared.spatial.flows import flow

A = torch.tensor([[0.2, -1.1], [0.9, -0.3]], dtype=torch.float64)


class Linear(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.matrix = nn.Parameter(A.clone())

    def forward(self, time: Tensor, positions: Tensor) -> Tensor:
        return torch.einsum("ij,bj...->bi...", self.matrix, positions)


def positions() -> Tensor:
    return torch.rand(1, 2, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def error(solver: str, steps: int) -> float:
    expected = torch.einsum("ij,bj...->bi...", torch.linalg.matrix_exp(A), positions())
    return float((flow(Linear(), positions(), solver=solver, steps=steps) - expected).detach().abs().max())


@pytest.mark.parametrize(("solver", "order"), [("euler", 1), ("rk4", 4)])
def test_the_error_falls_with_the_step_as_the_order_of_the_solver_says(solver: str, order: int) -> None:
    ratio = error(solver, 8) / error(solver, 16)
    assert ratio == pytest.approx(2**order, rel=0.15)  # the next order's part is left


def test_dopri5_keeps_its_tolerance() -> None:
    assert error("dopri5", 1) < 1e-3


def test_one_euler_step_is_the_velocity_itself() -> None:
    start = positions()
    torch.testing.assert_close(flow(Linear(), start), start + Linear()(torch.zeros(()), start))


@pytest.mark.parametrize("solver", ["euler", "rk4"])
def test_the_adjoint_gives_the_gradient_of_the_way_there(solver: str) -> None:
    gradients = []
    for adjoint in (False, True):
        velocity = Linear()
        flow(velocity, positions(), solver=solver, steps=256, adjoint=adjoint).square().sum().backward()
        gradients.append(velocity.matrix.grad)
    # The adjoint solves another equation, to the solver's own error: first order of a step of 1/256 for Euler.
    torch.testing.assert_close(*gradients, rtol=0.05 if solver == "euler" else 1e-6, atol=1e-6)


def test_an_unknown_solver_is_refused() -> None:
    with pytest.raises(ValueError, match="euler, rk4, dopri5, got 'leapfrog'"):
        flow(Linear(), positions(), solver="leapfrog")
