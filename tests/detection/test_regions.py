import torch
from monai.apps.detection.utils.ATSS_matcher import ATSSMatcher

from shared.detection.boxes import intersection_over_union
from shared.detection.regions import match_anchors, sample_regions


def test_anchors_at_an_object_are_to_find_it_and_those_of_an_empty_image_nothing() -> None:
    centres = (
        torch.stack(torch.meshgrid(torch.arange(16) + 0.5, torch.arange(16) + 0.5, indexing="ij")).flatten(1).T * 4
    )
    anchors = torch.cat([centres - 6, centres + 6], dim=1)
    boxes = torch.tensor([[[8.0, 8, 20, 20], [40.0, 36, 52, 48]]]).repeat(2, 1, 1)
    present = torch.tensor([[True, True], [False, False]])
    matched = match_anchors(ATSSMatcher(4, center_in_gt=True), anchors, [256], boxes, present)
    assert (matched[1] == -1).all()
    for number in range(2):
        chosen = anchors[matched[0] == number]
        assert len(chosen) >= 1
        # The mean and the deviation of the IoU of the four nearest anchors, 36 to 100 % here, part good from bad.
        assert (intersection_over_union(chosen, boxes[0, number]) > 0.5).all()


def test_regions_are_drawn_with_and_without_an_object_as_they_overlap_it() -> None:
    torch.manual_seed(0)
    true = torch.tensor([[[10.0, 10, 30, 30], [60.0, 60, 80, 80], [0.0, 0, 0, 0]]])
    present = torch.tensor([[True, True, False]])
    jitter = torch.randint(-3, 4, (1, 60, 4)).float()
    proposed = torch.cat(
        [true[:, :2].repeat(1, 15, 1) + jitter[:, :30], 120 + 20 * jitter[:, 30:].sort(dim=2)[0]], dim=1
    )
    any_proposed = torch.ones(1, 60, dtype=torch.bool)
    any_proposed[0, -1] = False
    sampled = sample_regions(proposed, any_proposed, true, present, positives=10, negatives=8)
    assert sampled.boxes.shape == (1, 18, 4)
    assert sampled.counted.all()
    overlaps = intersection_over_union(sampled.boxes[0, :, None], true[0, None])
    for row in range(10):
        assert overlaps[row, sampled.matched[0, row]] >= 0.5
        assert overlaps[row].argmax() == sampled.matched[0, row]
    assert (sampled.matched[0, 10:] == -1).all()
    assert (overlaps[10:] < 0.5).all()


def test_where_there_is_too_little_to_draw_it_is_not_counted() -> None:
    true, present = torch.tensor([[[10.0, 10, 30, 30]]]), torch.tensor([[True]])
    proposed, none = torch.zeros(1, 5, 4), torch.zeros(1, 5, dtype=torch.bool)
    sampled = sample_regions(proposed, none, true, present, positives=3, negatives=2)
    assert sampled.counted.tolist() == [[True, False, False, False, False]]  # the object's own box
    assert sampled.matched.tolist() == [[0, -1, -1, -1, -1]]
    assert torch.equal(sampled.boxes[0, 0], true[0, 0])
    empty = sample_regions(proposed, none, true, ~present, positives=3, negatives=2)
    assert not empty.counted.any()
