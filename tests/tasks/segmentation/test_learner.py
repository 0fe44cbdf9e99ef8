"""A step on every other voxel sees images and labels at the same ones, and all of them in turn."""

import torch
from torch import Tensor

from shared.nets.halved_unet import HalvedUNet, every_other
from shared.tasks.segmentation.learner import LatticeLearner, as_it_is, prepare_labelled


def test_image_and_label_are_seen_at_the_same_voxels() -> None:
    torch.manual_seed(0)
    network = HalvedUNet(3, 1, 3, filters=(4, 8)).eval()
    image = torch.rand(1, 1, 8, 8, 12)
    whole = network(image)
    label = whole.argmax(dim=1, keepdim=True)  # so that logits and labels agree where they belong together
    seen: set[tuple[int, ...]] = set()

    def right(logits: Tensor, part: Tensor) -> Tensor:
        assert logits.shape[2:] == part.shape[2:] == (4, 4, 6)
        corners = [c for c in torch.cartesian_prod(*[torch.arange(2)] * 3).tolist() if same(logits, whole, c)]
        seen.update(map(tuple, corners))
        return (logits.argmax(dim=1, keepdim=True) == part).float().mean()

    learner = LatticeLearner(network, right)
    for _ in range(40):  # 8 corners: one is missed with a chance of 8 * (7/8)^40 = 4 %, but the seed is fixed
        assert learner(image, label) == 1
    assert len(seen) == 8


def same(logits: Tensor, whole: Tensor, corner: list[int]) -> bool:
    return torch.allclose(logits, every_other(whole, corner), rtol=1e-3, atol=1e-4)


def test_a_batch_reaches_the_learner_as_plain_tensors() -> None:
    batch = {"image": torch.rand(2, 1, 4, 4), "label": torch.zeros(2, 1, 4, 4)}
    image, target, args, kwargs = prepare_labelled(batch, "cpu")
    assert torch.equal(image, batch["image"])
    assert (target, args, list(kwargs)) == (None, (), ["label"])
    assert as_it_is(torch.tensor(2.0), None) == 2
