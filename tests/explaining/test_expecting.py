"""What is expected of an explanation before it is begun."""

import pytest
import torch
from monai.inferers import SimpleInferer
from torch import Tensor, nn

from shared.engine import expectation
from shared.engine.expectation import GIB
from shared.engine.kept import Kept
from shared.explaining import expecting
from shared.explaining.expecting import Work, expected
from shared.explaining.inferer import ExplainingInferer
from shared.explaining.maps import occlusion, saliency
from shared.explaining.reading import Evidence
from shared.explaining.robustness import robustness
from shared.tasks.segmentation.explained import SegmentationReading


class Counting(nn.Module):
    """Logits of two classes, the second where the image is above 1/2; how often it was called, and with gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.answers, self.gradients = 0, 0

    def forward(self, image: Tensor) -> Tensor:
        self.answers += not image.requires_grad
        self.gradients += image.requires_grad
        return torch.cat([0.5 - image, image - 0.5], dim=1) * 10


def picture(side: int = 64) -> Tensor:
    image = torch.full((1, 1, side, side), 0.2)
    image[..., side // 4 : -side // 4, side // 4 : -side // 4] = 0.9
    return image


def test_what_is_kept_for_the_way_back_is_counted_once() -> None:
    image = torch.ones(10, requires_grad=True)
    with Kept() as kept:
        squared = image * image  # keeps the image, twice
        squared.exp().sum().backward()  # keeps what it gives
    assert kept.bytes == 2 * 10 * 4


def test_an_explanation_asks_as_often_as_expected() -> None:
    view, network = picture(), Counting()
    evidence = Evidence(network, SegmentationReading(), network(view))
    network.answers = 0
    saliency(evidence, view, 1, samples=3)
    occlusion(evidence, view, 1, patches=4)
    robustness(evidence, view, [0.0, 0.1])
    work = Work.of(view, samples=3, patches=4, epsilons=2)
    # Guided backpropagation and the strength of the evidence are left out here, a gradient and an answer.
    assert (network.answers, network.gradients) == (work.answers - 1, work.gradients - 1)


def test_time_and_memory_are_those_of_a_piece_times_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expecting, "peak_memory", lambda: GIB)
    monkeypatch.setattr(expectation, "machine_memory", lambda: 64.0 * GIB)
    monkeypatch.setattr(expecting, "_gradient", lambda network, reading, piece: (3.0, GIB * piece.numel() // 1024))
    view, network = picture(), Counting()
    line = expected(network, SegmentationReading(), view, 1.0, Work(answers=90, gradients=10))
    assert line.startswith("this explanation: about 2 min, until ")  # 90 and 3 times 10
    assert line.endswith("; about 9.0 GiB of memory")  # a quarter keeps 1 GiB and takes 2; and what is there
    assert expected(network, SegmentationReading(), view, 0.1, Work(answers=90, gradients=10)) == ""


def test_a_run_says_once_what_its_first_explanation_takes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    explainer = ExplainingInferer(
        SimpleInferer(), Counting(), SegmentationReading(), class_names=["background", "bright"], samples=1, patches=2
    )
    explainer(picture(), Counting())
    assert capsys.readouterr().out == ""  # it takes no time
    explainer.is_first = True
    monkeypatch.setattr(expectation, "LONG", 0.0)
    explainer(picture(), Counting())
    explainer(picture(), Counting())
    assert capsys.readouterr().out.count("this explanation: about ") == 1
