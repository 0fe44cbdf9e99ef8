import pytest
import torch
from torch import Tensor

from shared.detection.boxes import intersection_over_union
from shared.nets.yolo import Yolo, YoloHeads
from shared.tasks.detection.losses import DetectionLoss

TINY = {"filters": (8, 8, 16, 16, 16), "repeats": (1, 1, 1, 1)}


def batch_of(boxes: list[list[float]], classes: list[int]) -> Tensor:
    return torch.cat([torch.tensor([boxes]), torch.tensor([classes])[..., None]], dim=2)


def test_a_small_detector_learns_two_objects_by_heart() -> None:
    torch.manual_seed(0)
    image = torch.zeros(1, 1, 64, 64)
    image[..., 6:30, 6:30], image[..., 36:60, 36:60] = 1.0, 0.5
    batch = batch_of([[6.0, 6, 30, 30], [36.0, 36, 60, 60]], [1, 0])
    network, loss = Yolo(2, 1, 2, **TINY), DetectionLoss()  # type: ignore[arg-type]
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(60):
        optimizer.zero_grad()
        loss(YoloHeads(network)(image), batch).backward()
        optimizer.step()
    with torch.no_grad():
        found = network(image)[0]  # in training mode: batch norm of this image
    for box, label in zip(batch[0, :, :4], (1, 0)):
        best = int(found[4 + label].argmax())
        assert float(intersection_over_union(found[:4, best], box)) > 0.7
        assert float(found[4 + label, best]) > 0.4


def test_an_image_without_objects_has_a_loss_and_teaches_silence() -> None:
    torch.manual_seed(0)
    network, loss = Yolo(2, 1, 2, **TINY), DetectionLoss()  # type: ignore[arg-type]
    image, batch = torch.rand(1, 1, 64, 64), batch_of([[0.0, 0, 0, 0]], [-1])
    value = loss(YoloHeads(network)(image), batch)
    value.backward()
    bias = network.class_heads[0].get_parameter("2.bias").grad
    assert bias is not None
    assert torch.isfinite(value)
    assert (bias > 0).all()  # a step makes every score smaller
    assert all(p.grad is None or float(p.grad.abs().max()) == 0 for p in network.box_heads.parameters())


def test_a_place_that_finds_its_object_exactly_has_no_loss_but_that_of_its_score() -> None:
    centres, strides = torch.tensor([[20.0], [20.0]]), torch.tensor([8.0])
    sides = torch.full((1, 4, 16), -50.0)
    sides[..., 2] = 50.0  # two strides to each side
    found = {
        "sides": sides.flatten(1)[..., None], "classes": torch.full((1, 1, 1), 50.0),
        "centres": centres, "strides": strides, "boxes": torch.tensor([[[4.0], [4], [36], [36]]]),
    }  # fmt: skip
    assert float(DetectionLoss()(found, batch_of([[4.0, 4, 36, 36]], [0]))) == pytest.approx(0, abs=1e-4)
