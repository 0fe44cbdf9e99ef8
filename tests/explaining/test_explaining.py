from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.inferers import SimpleInferer
from PIL import Image
from torch import Tensor, nn

from shared.engine.inferers import TiledInferer
from shared.errors import InputError
from shared.explaining.inferer import ExplainingInferer
from shared.explaining.reading import Evidence, Looks, count_agreement
from shared.explaining.results import ExplanationWriter
from shared.explaining.robustness import robustness
from shared.tasks.segmentation.explained import SegmentationReading

NAMES = ["background", "bright"]


class Bright(nn.Module):
    """Logits of two classes: the second is what is above 1/2."""

    def forward(self, image: Tensor) -> Tensor:
        return torch.cat([0.5 - image, image - 0.5], dim=1) * 10


def picture() -> Tensor:
    """A square of 6 × 6 pixels at 0.6, in 16 × 16 at 0.2, and one pixel at each end of the range."""
    image = torch.full((1, 1, 16, 16), 0.2)
    image[0, 0, 5:11, 5:11] = 0.6
    image[0, 0, 0, 0], image[0, 0, 5, 5] = 0.0, 1.0
    return image


def explained(image: Tensor, **options: Any) -> dict[str, Tensor]:
    network = Bright()
    explainer = ExplainingInferer(
        SimpleInferer(), network, SegmentationReading(), class_names=NAMES, **{"patches": 4, **options}
    )
    with torch.no_grad():  # as an evaluator calls it
        return explainer(image, network)


def test_a_step_of_nothing_changes_nothing_and_the_worst_step_harms_as_soon_as_it_reaches_the_threshold() -> None:
    view, network = picture(), Bright()
    evidence = Evidence(network, SegmentationReading(), network(view))
    fgsm, noise = robustness(evidence, view, [0.0, 0.09, 0.11, 0.5])
    assert fgsm[0] == noise[0] == 1
    # The square is 0.1 above the threshold: at 0.11 only the pixel at 1.0 is left of 36, a Dice of 2 / 37.
    torch.testing.assert_close(fgsm[:3], torch.tensor([1, 1, 2 / 37]))
    assert fgsm[3] <= noise[3] < 1
    assert noise[2] > fgsm[2]


def test_the_view_is_the_tile_in_which_most_is_found() -> None:
    image = torch.full((1, 1, 16, 32), 0.2)
    image[..., 4:8, 20:30] = 0.9
    looks = Looks(Bright(), SegmentationReading())
    TiledInferer(roi_size=[16, 16], overlap=0)(image, looks)
    assert looks.most == 40
    torch.testing.assert_close(torch.as_tensor(looks.best), image[..., 16:])


def test_what_is_mapped_is_where_the_class_is() -> None:
    found = explained(picture(), epsilons=[0.0])
    assert found["of_class"].tolist() == [1]
    inside = picture()[0, 0] > 0.5
    assert (found["saliency"][0, 0] > 0).eq(inside).all()  # the rest is no part of the answer
    assert found["occlusion"][0, 0][inside].mean() > 0 == found["occlusion"][0, 0][12:].abs().max()
    assert not any(values.requires_grad for values in found.values())


def test_an_explanation_is_the_same_again_and_leaves_torchs_numbers_alone() -> None:
    torch.manual_seed(1)
    first, drawn = explained(picture(), epsilons=[0.2]), torch.rand(1)
    torch.manual_seed(1)
    assert torch.rand(1) == drawn
    assert all(torch.equal(values, first[name]) for name, values in explained(picture(), epsilons=[0.2]).items())


def test_the_network_is_explained_and_left_as_it_is_in_inference() -> None:
    """A batch norm in training would answer otherwise, and learn from the views."""
    network = nn.Sequential(nn.BatchNorm2d(1), Bright())  # in training, as any new one
    before = {name: values.clone() for name, values in network.state_dict().items()}
    explainer = ExplainingInferer(
        SimpleInferer(), network, SegmentationReading(), class_names=NAMES, patches=2, epsilons=[0]
    )
    assert explainer(picture(), Bright())["fgsm"].tolist() == [[1]]
    assert not network.training
    assert all(torch.equal(values, before[name]) for name, values in network.state_dict().items())


def test_where_nothing_is_found_that_is_reported_and_nothing_is_drawn(tmp_path: Path) -> None:
    result = {"case": "empty", "pred": explained(torch.zeros(1, 1, 8, 8))}
    writer = ExplanationWriter(tmp_path, class_names=NAMES, epsilons=[0.0])
    assert "nothing was found" in writer.process(result)["message"]
    writer.conclude([])
    assert [*tmp_path.iterdir()] == []


def test_a_case_has_a_picture_and_a_row_and_all_have_a_curve(tmp_path: Path) -> None:
    epsilons = [0.0, 0.11]
    found = {name: values[0] for name, values in explained(picture(), epsilons=epsilons).items()}
    result = {"case": "a/b", "pred": found}
    writer = ExplanationWriter(tmp_path, class_names=NAMES, epsilons=epsilons)
    figures = writer.process(result)
    assert figures["class"] == "bright"
    assert figures["view"] == "16 x 16"
    assert (figures["fgsm_0"], figures["fgsm_0.11"]) == (1.0, round(2 / 37, 4))
    writer.conclude([])
    seen = np.asarray(Image.open(tmp_path / writer.targets("a/b")[0]))
    assert seen.std() > 0
    assert seen.shape[1] > 4 * 320  # four panels
    assert (tmp_path / "robustness.png").is_file()


def test_options_that_cannot_be_meant_are_refused() -> None:
    with pytest.raises(InputError, match="--of_class: expected one of background, bright, got dark"):
        explained(picture(), of_class="dark")
    with pytest.raises(InputError, match="--epsilons: expected fractions"):
        explained(picture(), epsilons=[2.0])


def test_counts_agree_by_class() -> None:
    assert count_agreement(torch.tensor([3, 0]), torch.tensor([3, 0])) == 1
    assert count_agreement(torch.tensor([0, 3]), torch.tensor([3, 0])) == 0
    assert count_agreement(torch.tensor([2, 4]), torch.tensor([4, 2])) == 0.5  # 4 of 8
    assert count_agreement(torch.zeros(2), torch.zeros(2)) == 1
