"""The loss of many classes is MONAI's, without its one-hot maps."""

import pytest
import torch
from monai.losses import DiceCELoss

from shared.tasks.segmentation.losses import answered_loss, dice_cross_entropy


@pytest.mark.parametrize("size", [(7, 6), (5, 4, 6)])
def test_the_loss_and_its_gradient_are_those_of_monai(size: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    logits = torch.randn(2, 5, *size, dtype=torch.float64, requires_grad=True)
    label = torch.randint(4, (2, 1, *size))  # the fifth class is in neither
    reference = DiceCELoss(softmax=True, to_onehot_y=True, batch=True, smooth_nr=1.0, smooth_dr=1.0)
    ours, theirs = dice_cross_entropy(logits, label), reference(logits, label)
    torch.testing.assert_close(ours, theirs)
    assert answered_loss({"logits": logits, "label": label}) == ours
    torch.testing.assert_close(*(torch.autograd.grad(loss, logits)[0] for loss in (ours, theirs)))
