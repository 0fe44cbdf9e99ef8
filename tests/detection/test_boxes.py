import pytest
import torch
from monai.data.box_utils import box_iou

from shared.detection.boxes import complete_iou, intersection_over_union


def random_boxes(count: int, dims: int, seed: int = 0) -> torch.Tensor:
    low = torch.rand(count, dims, generator=torch.Generator().manual_seed(seed)) * 50
    return torch.cat(
        [low, low + 1 + torch.rand(count, dims, generator=torch.Generator().manual_seed(seed + 1)) * 40], 1
    )


@pytest.mark.parametrize("dims", [2, 3])
def test_the_overlap_of_all_with_all_is_monais(dims: int) -> None:
    a, b = random_boxes(20, dims), random_boxes(30, dims, seed=5)
    ours = intersection_over_union(a[:, None], b[None])
    torch.testing.assert_close(ours, box_iou(a, b), rtol=0, atol=1e-5)


def test_the_overlap_of_known_boxes() -> None:
    a = torch.tensor([[0.0, 0, 4, 4], [0, 0, 4, 4], [0, 0, 4, 4], [2, 2, 2, 2]])
    b = torch.tensor([[0.0, 0, 4, 4], [2, 0, 6, 4], [5, 5, 6, 6], [2, 2, 2, 2]])
    torch.testing.assert_close(intersection_over_union(a, b), torch.tensor([1, 8 / 24, 0, 0]), rtol=0, atol=1e-6)


def test_complete_iou_of_known_boxes() -> None:
    same = torch.tensor([10.0, 20, 30, 60])
    assert float(complete_iou(same, same)) == pytest.approx(1, abs=1e-6)
    # Same proportions, apart by (4, 0): IoU 0; the box around both is 6 × 2, its diagonal squared 40.
    assert float(complete_iou(torch.tensor([0.0, 0, 2, 2]), torch.tensor([4.0, 0, 6, 2]))) == pytest.approx(
        -16 / 40, abs=1e-6
    )
    # One centre, 4 × 1 in 4 × 4: IoU 1/4, v = 4/π² (atan 4 - atan 1)² = 0.1184, α = v / (3/4 + v).
    v = 0.11838
    given = complete_iou(torch.tensor([0.0, 1.5, 4, 2.5]), torch.tensor([0.0, 0, 4, 4]))
    assert float(given) == pytest.approx(0.25 - v * v / (0.75 + v), abs=1e-4)


def test_in_3d_boxes_of_one_depth_are_unlike_where_their_faces_are() -> None:
    """A cube and one of half its width: two of three pairs of axes have other proportions."""
    cube, half = torch.tensor([0.0, 0, 0, 4, 4, 4]), torch.tensor([1.0, 0, 0, 3, 4, 4])
    flat = complete_iou(torch.tensor([1.0, 0, 3, 4]), torch.tensor([0.0, 0, 4, 4]))
    deep = complete_iou(half, cube)
    assert float(flat) < float(deep) < 0.5  # IoU is 1/2 in both


@pytest.mark.parametrize("dims", [2, 3])
def test_the_gradient_of_the_overlap_is_that_of_finite_differences(dims: int) -> None:
    found = random_boxes(6, dims).double().requires_grad_()
    true = random_boxes(6, dims, seed=9).double()
    near = (true + 0.1 * (found.detach() - true)).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: intersection_over_union(x, true), (near,), eps=1e-6, atol=1e-5)


def test_descending_it_brings_a_box_from_afar_to_its_object() -> None:
    box = torch.tensor([[0.0, 0, 5, 20]], requires_grad=True)
    true = torch.tensor([[60.0, 40, 80, 60]])
    optimizer = torch.optim.Adam([box], lr=1.0)
    for _ in range(400):
        optimizer.zero_grad()
        (1 - complete_iou(box, true)).sum().backward()
        optimizer.step()
    assert float(intersection_over_union(box.detach(), true)) > 0.9
