import torch

from shared.nets.mask_rcnn import Instances, build_mask_rcnn
from shared.tasks.instances.explained import InstanceReading

READING = InstanceReading(classes=2, threshold=0.3)


def found(scores: list[float], labels: list[int]) -> Instances:
    number = len(scores)
    boxes, masks = torch.zeros(1, number, 4), torch.zeros(1, number, 2, 2)
    return Instances(boxes, torch.tensor([scores]), torch.tensor([labels]), masks, torch.tensor([number]))


def test_evidence_is_the_sum_of_scores_by_class_and_agreement_that_of_counts() -> None:
    answer, fainter = found([0.9, 0.8, 0.5], [0, 1, 0]), found([0.9, 0.8, 0.2], [0, 1, 0])
    assert READING.amounts(answer).tolist() == [2, 1]
    torch.testing.assert_close(READING.evidence(fainter, answer), torch.tensor([[1.1, 0.8]]))
    torch.testing.assert_close(READING.agreement(fainter, answer), 2 / 3)


def test_the_evidence_of_the_network_has_a_gradient_at_its_image() -> None:
    torch.manual_seed(0)
    network = build_mask_rcnn(2, 1, 2, candidates=40, proposals=20, detections=10, faint=0.0).eval()
    image = torch.rand(1, 1, 64, 64).requires_grad_()
    output = network(image)
    READING.evidence(output, output).sum().backward()
    assert image.grad is not None
    assert image.grad.isfinite().all()
    assert image.grad.abs().max() > 0
