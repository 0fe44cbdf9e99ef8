import pytest
import torch

from shared.detection import greedy
from shared.detection.boxes import intersection_over_union
from shared.detection.suppression import suppress


def crowd(count: int, dims: int = 2, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    low = torch.rand(count, dims, generator=generator) * 60
    boxes = torch.cat([low, low + 10 + torch.rand(count, dims, generator=generator) * 20], dim=1)
    return boxes, torch.rand(count, generator=generator)


def brute_force(boxes: torch.Tensor, scores: torch.Tensor, overlap: float) -> list[int]:
    kept: list[int] = []
    for i in scores.argsort(descending=True).tolist():
        if all(float(intersection_over_union(boxes[i], boxes[k])) <= overlap for k in kept):
            kept.append(i)
    return kept


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("overlap", [0.2, 0.5, 0.8])
def test_it_keeps_what_brute_force_keeps(dims: int, overlap: float) -> None:
    boxes, scores = crowd(150, dims)
    assert suppress(boxes, scores, overlap=overlap).tolist() == brute_force(boxes, scores, overlap)


@pytest.mark.parametrize("dims", [2, 3])
def test_of_a_crowd_that_is_sorted_into_cells_it_keeps_the_same(dims: int, monkeypatch: pytest.MonkeyPatch) -> None:
    boxes, scores = crowd(400, dims)
    boxes[0] = torch.tensor([-40.0] * dims + [-39.0] * dims)  # beyond 0 there are cells, too
    whole = suppress(boxes, scores, overlap=0.3)
    monkeypatch.setattr(greedy, "FEW", 0)
    assert suppress(boxes, scores, overlap=0.3).tolist() == whole.tolist() == brute_force(boxes, scores, 0.3)


def test_what_is_kept_is_kept_again_in_any_order() -> None:
    boxes, scores = crowd(200)
    kept = suppress(boxes, scores, overlap=0.4)
    assert len(kept) < 200
    assert suppress(boxes[kept], scores[kept], overlap=0.4).tolist() == list(range(len(kept)))
    order = torch.randperm(200, generator=torch.Generator().manual_seed(3))
    shuffled = suppress(boxes[order], scores[order], overlap=0.4)
    assert order[shuffled].tolist() == kept.tolist()


def test_classes_do_not_suppress_each_other_and_the_surest_are_kept() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 10]]).repeat(4, 1)
    scores, classes = torch.tensor([0.3, 0.9, 0.5, 0.4]), torch.tensor([0, 0, 1, 1])
    assert suppress(boxes, scores, classes).tolist() == [1, 2]
    assert suppress(boxes, scores).tolist() == [1]
    far, sure = crowd(50)
    assert suppress(far, sure, overlap=1.0, most=7).tolist() == sure.argsort(descending=True)[:7].tolist()


def test_no_box_is_left_of_none() -> None:
    assert suppress(torch.zeros(0, 4), torch.zeros(0), torch.zeros(0)).tolist() == []
