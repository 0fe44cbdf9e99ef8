import numpy as np
import pytest
import torch

from shared.spatial.jacobian import determinant_by_slabs, jacobian_determinant


@pytest.mark.parametrize("dims", [2, 3])
def test_a_linear_map_has_its_own_determinant_everywhere(dims: int) -> None:
    rng = np.random.default_rng(dims)
    matrix = torch.as_tensor(np.eye(dims) + 0.4 * rng.normal(size=(dims, dims)))
    grid = torch.stack(torch.meshgrid(*[torch.arange(5, dtype=torch.float64)] * dims, indexing="ij"))
    displacement = (torch.einsum("ij,j...->i...", matrix, grid) - grid)[None]
    determinant = jacobian_determinant(displacement)
    torch.testing.assert_close(determinant, torch.full_like(determinant, float(torch.linalg.det(matrix))))


@pytest.mark.parametrize("size", [(6, 7), (4, 6, 5)])
def test_numpy_and_linalg_find_the_same_determinants(size: tuple[int, ...]) -> None:
    field = np.random.default_rng(0).normal(size=(len(size), *size))
    matrices = np.stack([np.stack(np.gradient(f), axis=-1) for f in field], axis=-2) + np.eye(len(size))
    found = jacobian_determinant(torch.as_tensor(field)[None])[0].numpy()
    np.testing.assert_allclose(found, np.linalg.det(matrices), rtol=1e-9, atol=1e-9)
    assert (found <= 0).any()


def test_a_fold_is_negative_and_a_still_field_is_1() -> None:
    field = torch.zeros(1, 2, 8, 8)
    assert torch.equal(jacobian_determinant(field), torch.ones(1, 8, 8))
    field[:, 0] = -2 * torch.arange(8.0)[:, None]  # x ↦ -x
    assert torch.equal(jacobian_determinant(field), -torch.ones(1, 8, 8))


def test_an_axis_of_one_voxel_has_no_derivative() -> None:
    with pytest.raises(ValueError, match="two voxels"):
        jacobian_determinant(torch.zeros(1, 2, 1, 8))


@pytest.mark.parametrize("size", [(2, 5), (8, 5), (9, 5), (17, 4, 6)])
def test_slabs_have_the_determinants_of_the_whole(size: tuple[int, ...]) -> None:
    field = torch.as_tensor(np.random.default_rng(0).normal(size=(1, len(size), *size)))
    assert torch.equal(determinant_by_slabs(field), jacobian_determinant(field))


def test_one_plane_along_the_axis_of_the_slabs_is_refused_too() -> None:
    with pytest.raises(ValueError, match="two voxels"):
        determinant_by_slabs(torch.zeros(1, 2, 1, 8))
