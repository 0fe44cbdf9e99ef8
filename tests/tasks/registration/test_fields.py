import numpy as np
import pytest
import torch

from shared.tasks.registration.fields import diffusion, folding


def test_a_ramp_costs_the_square_of_its_slope() -> None:
    field = torch.zeros(1, 2, 5, 6)
    field[:, 0] = 0.5 * torch.arange(5.0)[:, None]
    # One of two channels changes, along one of two axes: a quarter of 0.5².
    assert float(diffusion(field)) == pytest.approx(0.25 / 4)
    assert float(diffusion(field + 7)) == pytest.approx(0.25 / 4)


def test_a_field_that_alternates_from_voxel_to_voxel_is_rough() -> None:
    field = torch.zeros(1, 3, 6, 6, 6)
    field[:, 1] = (-1.0) ** torch.arange(6)
    assert float(diffusion(field)) == pytest.approx(2**2 / 9)  # where central differences are all 0


def test_folding_is_what_the_determinants_lack() -> None:
    rng = np.random.default_rng(0)
    field = torch.as_tensor(rng.normal(size=(1, 2, 8, 9)))
    matrices = np.stack([np.stack(np.gradient(f), axis=-1) for f in field[0].numpy()], axis=-2) + np.eye(2)
    determinants = np.linalg.det(matrices)
    assert float(folding(field)) == pytest.approx(np.maximum(-determinants, 0).mean())
    assert float(folding(field, margin=0.3)) == pytest.approx(np.maximum(0.3 - determinants, 0).mean())
    assert float(folding(0.01 * field)) == 0


def test_gradients_are_right() -> None:
    field = torch.rand(1, 2, 4, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(diffusion, (field,))
    assert torch.autograd.gradcheck(lambda u: folding(u, margin=2.0), (field,))
