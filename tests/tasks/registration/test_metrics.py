import numpy as np
import pytest
import torch

from shared.spatial.jacobian import jacobian_determinant
from shared.tasks.registration.metrics import inverse_consistency, label_dice, regularity


def test_dice_by_label_of_maps_counted_by_hand() -> None:
    a = torch.tensor([[0, 1, 1, 1], [0, 2, 2, 0]])
    b = torch.tensor([[0, 1, 1, 0], [0, 0, 2, 2]])
    assert label_dice(a, b, [1, 2]) == pytest.approx([2 * 2 / 5, 2 * 1 / 4])
    assert np.isnan(label_dice(a, b, [7])[0])
    assert label_dice(a, torch.zeros_like(a), [1]) == [0]


@pytest.mark.parametrize("dims", [2, 3])
def test_a_uniform_scaling_folds_nowhere_and_changes_all_volumes_alike(dims: int) -> None:
    grid = torch.stack(torch.meshgrid(*[torch.arange(6.0)] * dims, indexing="ij"))[None]
    assert regularity(jacobian_determinant(0.3 * grid)) == pytest.approx(
        {"folds_percent": 0, "sd_log_jacobian": 0}, abs=1e-6
    )
    assert regularity(jacobian_determinant(-2 * grid))["folds_percent"] == (
        100 if dims % 2 else 0
    )  # two mirrors are a turn


def test_folds_are_counted_and_left_out_of_the_spread() -> None:
    """x ↦ s(x) x with slopes 1 and e in equal parts, and one mirrored strip."""
    slopes = torch.tensor([1.0] * 10 + [np.e] * 10 + [-1.0] * 5)
    position = torch.cat([torch.zeros(1), slopes.cumsum(0)])
    field = torch.zeros(1, 2, 26, 4)
    field[:, 0] = (position - torch.arange(26.0))[:, None]
    scores = regularity(jacobian_determinant(field))
    # Central differences see half of each neighbour: between e and -1 the slope is 0.86, and from there on it is -1.
    assert scores["folds_percent"] == pytest.approx(100 * 5 / 26)
    expected = np.log([1] * 10 + [(1 + np.e) / 2] + [np.e] * 9 + [(np.e - 1) / 2])
    assert scores["sd_log_jacobian"] == pytest.approx(expected.std(), rel=1e-5)


def test_a_shift_and_its_opposite_miss_by_nothing_and_two_shifts_by_their_sum() -> None:
    shift = torch.tensor([3.0, 4.0]).reshape(1, 2, 1, 1).expand(1, 2, 8, 8)
    assert inverse_consistency(shift, -shift) == 0
    assert inverse_consistency(shift, shift) == pytest.approx(10)
