import pytest
import torch

from shared.detection.static import suppress_fixed
from shared.detection.suppression import suppress
from tests.detection.test_suppression import crowd


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("overlap", [0.2, 0.5, 0.8])
def test_it_keeps_what_the_greedy_search_keeps(dims: int, overlap: float) -> None:
    pairs = [crowd(300, dims, seed) for seed in (0, 1)]
    boxes, scores = (torch.stack(parts) for parts in zip(*pairs))
    kept, present = suppress_fixed(boxes, scores, overlap=overlap, most=300)
    for i in range(2):
        assert kept[i][present[i]].tolist() == suppress(boxes[i], scores[i], overlap=overlap).tolist()
        assert int(present[i].sum()) < 300 or overlap == 0.8  # some cover others
        assert not kept[i][~present[i]].any()


def test_of_more_than_are_asked_for_the_surest_are_given() -> None:
    boxes, scores = (values[None] for values in crowd(50))
    kept, present = suppress_fixed(boxes, scores, overlap=1.0, most=7)
    assert present.all()
    assert kept[0].tolist() == scores[0].argsort(descending=True)[:7].tolist()


def test_of_fewer_the_rest_is_marked_as_none() -> None:
    boxes, scores = (values[None] for values in crowd(5))
    scores[0, 2] = -torch.inf
    kept, present = suppress_fixed(boxes, scores, overlap=1.0, most=9)
    assert kept.shape == (1, 9)
    assert present[0].tolist() == [True] * 4 + [False] * 5
    assert 2 not in kept[0, :4].tolist()
