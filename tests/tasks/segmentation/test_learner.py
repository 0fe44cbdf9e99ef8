"""A step on every other voxel sees images and labels at the same ones, and all of them in turn."""

from itertools import product

import torch
from torch import Tensor

from shared.nets.halved_unet import HalvedUNet, every_other
from shared.nets.unet import UNet
from shared.tasks.segmentation.learner import LatticeLearner, prepare_labelled


def test_image_and_label_are_seen_at_the_same_voxels() -> None:
    torch.manual_seed(0)
    network = HalvedUNet(3, 1, 3, filters=(4, 8)).eval()
    image = torch.rand(1, 1, 8, 8, 12)
    whole = network(image)
    label = whole.argmax(dim=1, keepdim=True)  # so that logits and labels agree where they belong together
    seen: set[tuple[int, ...]] = set()

    learner = LatticeLearner(network)
    for _ in range(40):  # 8 corners: one is missed with a chance of 8 * (7/8)^40 = 4 %, but the seed is fixed
        answered = learner(image, label)
        assert answered["logits"].shape[2:] == (4, 4, 6)
        assert torch.equal(answered["logits"].argmax(dim=1, keepdim=True), answered["label"])
        seen |= {c for c in product((0, 1), repeat=3) if same(answered["logits"], whole, c)}
    assert len(seen) == 8


def test_another_network_answers_at_the_same_voxels_as_well() -> None:
    torch.manual_seed(0)
    network, image = UNet(2, 1, 3, filters=(4, 8)).eval(), torch.rand(1, 1, 9, 12)
    answered = LatticeLearner(network)(image, network(image).argmax(dim=1, keepdim=True))
    assert torch.equal(answered["logits"].argmax(dim=1, keepdim=True), answered["label"])


def same(logits: Tensor, whole: Tensor, corner: tuple[int, ...]) -> bool:
    return torch.allclose(logits, every_other(whole, corner), rtol=1e-3, atol=1e-4)


def test_a_batch_reaches_the_learner_as_plain_tensors() -> None:
    batch = {"image": torch.rand(2, 1, 4, 4), "label": torch.zeros(2, 1, 4, 4)}
    image, target, args, kwargs = prepare_labelled(batch, "cpu")
    assert torch.equal(image, batch["image"])
    assert (target, args, list(kwargs)) == (None, (), ["label"])
