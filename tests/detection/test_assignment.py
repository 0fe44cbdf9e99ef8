import pytest
import torch

from shared.detection.assignment import assign_by_task

CENTRES = torch.stack(torch.meshgrid(torch.arange(8) + 0.5, torch.arange(8) + 0.5, indexing="ij")).flatten(1).T * 8


def found_at(size: float = 16) -> tuple[torch.Tensor, torch.Tensor]:
    """Every place of a 64 × 64 image says a box of `size` around itself, and 0.5 for both classes."""
    boxes = torch.cat([CENTRES - size / 2, CENTRES + size / 2], dim=1)[None]
    return boxes, torch.full((1, len(CENTRES), 2), 0.5)


def test_the_best_places_inside_an_object_are_given_it_and_no_others() -> None:
    boxes, scores = found_at()
    true = torch.tensor([[[8.0, 8, 40, 40], [0, 0, 64, 64]]])
    assigned = assign_by_task(
        boxes, scores, CENTRES, true, torch.tensor([[1, 0]]), torch.tensor([[True, False]]), places=5
    )
    assert int(assigned.chosen.sum()) == 5
    where = CENTRES[assigned.chosen[0]]
    assert ((where > 8) & (where < 40)).all()
    assert (assigned.boxes[assigned.chosen] == true[0, 0]).all()
    best = 16 * 16 / (32 * 32)  # each box lies inside the object
    torch.testing.assert_close(assigned.scores[0, :, 1].max(), torch.tensor(best), rtol=1e-4, atol=0)
    assert float(assigned.scores[0, :, 0].max()) == 0
    assert float(assigned.scores[~assigned.chosen].max()) == 0


def test_a_surer_place_is_preferred_and_counts_more() -> None:
    boxes, scores = found_at()
    inside = ((CENTRES > 8) & (CENTRES < 40)).all(dim=1).nonzero()[:, 0]
    scores[0, inside[5], 1] = 0.9  # of those whose box lies wholly in the object
    true, present = torch.tensor([[[8.0, 8, 40, 40]]]), torch.tensor([[True]])
    assigned = assign_by_task(boxes, scores, CENTRES, true, torch.tensor([[1]]), present, places=1)
    assert assigned.chosen[0].nonzero()[:, 0].tolist() == [int(inside[5])]


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_a_place_that_two_objects_want_goes_to_the_one_it_overlaps_most(order: list[int]) -> None:
    boxes, scores = found_at(32)
    true = torch.tensor([[[8.0, 8, 40, 40], [10.0, 10, 52, 52]]])
    assigned = assign_by_task(
        boxes, scores, CENTRES, true[:, order], torch.tensor([order]), torch.ones(1, 2, dtype=torch.bool), places=64
    )
    place = int((CENTRES - torch.tensor([20.0, 20])).norm(dim=1).argmin())  # its box, 4 to 36, is more like the first
    assert torch.equal(assigned.boxes[0, place], true[0, 0])
    assert float(assigned.scores[0, place, 1]) == 0


def test_an_image_without_objects_chooses_no_place() -> None:
    boxes, scores = found_at()
    nothing = torch.zeros(1, 1, 4), torch.zeros(1, 1, dtype=torch.long), torch.zeros(1, 1, dtype=torch.bool)
    assigned = assign_by_task(boxes, scores, CENTRES, *nothing)
    assert not assigned.chosen.any()
    assert float(assigned.scores.sum()) == 0
