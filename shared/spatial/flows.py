"""Where points go in the flow of a velocity that may depend on where all of them are."""

from collections.abc import Callable

import torch
from torch import Tensor
from torchdiffeq import odeint, odeint_adjoint

from shared.errors import InputError

SOLVERS = ("euler", "rk4", "dopri5")
TOLERANCE = 1e-3  # of dopri5, absolute in voxels and relative


def flow(
    velocity: Callable[[Tensor, Tensor], Tensor],
    positions: Tensor,
    *,
    solver: str = "euler",
    steps: int = 1,
    adjoint: bool = False,
) -> Tensor:
    """Positions (B, D, *S) after time 1 under d positions / dt = velocity(t, positions).

    solver: "euler" or "rk4", with `steps` steps, or "dopri5", which chooses its own. adjoint: go back along the flow
    for the gradient instead of keeping the way there, as memory needs; `velocity` must then be a module.
    Raises InputError for another solver.
    Source: Chen et al., Neural Ordinary Differential Equations, NeurIPS 2018, by torchdiffeq.
    """
    if solver not in SOLVERS:
        raise InputError("solver", expected=f"one of {', '.join(SOLVERS)}", got=repr(solver), fix="choose one of these")
    times = torch.tensor([0.0, 1.0], device=positions.device, dtype=positions.dtype)
    options = {} if solver == "dopri5" else {"step_size": 1 / steps}
    solve = odeint_adjoint if adjoint else odeint
    end: Tensor = solve(velocity, positions, times, method=solver, options=options, rtol=TOLERANCE, atol=TOLERANCE)[-1]
    return end
