import pytest
import torch

from shared.tasks.instances.losses import box_loss, class_loss, mask_loss, region_loss, total_loss


def test_the_class_loss_is_the_cross_entropy_of_those_that_count() -> None:
    logits = torch.tensor([[[2.0, 0.0], [0.0, 1.0], [9.0, -9.0]]])
    given = class_loss(logits, torch.tensor([[0, 1, 1]]), torch.tensor([[True, True, False]]))
    expected = (torch.log1p(torch.tensor(-2.0).exp()) + torch.log1p(torch.tensor(-1.0).exp())) / 2
    torch.testing.assert_close(given, expected)


def test_the_mask_loss_is_the_mean_over_pixels_then_regions_that_count() -> None:
    logits, masks = torch.zeros(1, 3, 4, 4), torch.rand(1, 3, 4, 4)
    given = mask_loss(logits, masks, torch.tensor([[True, True, False]]))
    assert float(given) == pytest.approx(0.693147, abs=1e-6)  # ln 2 at every pixel, whatever is wanted
    assert float(mask_loss(100 * (masks - 0.5).sign(), (masks > 0.5).float(), torch.ones(1, 3))) < 1e-6


def test_the_box_loss_is_nothing_where_boxes_fit_and_where_none_is_matched() -> None:
    true = torch.tensor([[[0.0, 0, 10, 10], [20.0, 20, 40, 30]]])
    boxes = true.flip(1)
    assert float(box_loss(boxes, torch.tensor([[1, 0]]), true)) == pytest.approx(0, abs=1e-5)
    assert float(box_loss(boxes, torch.tensor([[0, 1]]), true)) > 1
    assert float(box_loss(boxes, torch.tensor([[-1, -1]]), true)) == 0


def test_the_region_loss_of_known_logits() -> None:
    """One anchor that is to find a box and does, two that are not to: focal loss by hand, at a likelihood of 1/2."""
    true = torch.tensor([[[0.0, 0, 10, 10]]])
    boxes = true.repeat(1, 3, 1)
    matched = torch.tensor([[0, -1, -1]])
    given = region_loss(torch.zeros(1, 3), boxes, matched, true)
    assert float(given) == pytest.approx(0.693147 * 0.25 * (0.25 + 2 * 0.75), abs=1e-5)
    sure = region_loss(torch.tensor([[12.0, -12.0, -12.0]]), boxes, matched, true)
    assert float(sure) < 1e-4


def test_of_an_image_without_objects_every_loss_has_a_gradient_that_is_finite() -> None:
    logits, boxes = torch.zeros(1, 5, requires_grad=True), torch.rand(1, 5, 4, requires_grad=True)
    nothing = torch.full((1, 5), -1), torch.zeros(1, 1, 4)
    terms = {
        "regions": region_loss(logits, boxes, *nothing),
        "masks": mask_loss(torch.zeros(1, 2, 3, 3), torch.zeros(1, 2, 3, 3), torch.zeros(1, 2, dtype=torch.bool)),
    }
    total = total_loss(terms)
    total.backward()
    assert logits.grad is not None
    assert boxes.grad is not None
    assert logits.grad.isfinite().all()
    assert boxes.grad.isfinite().all()
    assert float(total.detach()) == pytest.approx(float(terms["regions"].detach()) + float(terms["masks"]))
