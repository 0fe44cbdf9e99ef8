"""What a mirror does to classes with sides."""

import pytest
import torch
from monai.inferers import SimpleInferer

from shared.errors import InputError
from shared.tasks.segmentation.mirroring import MirrorInferer, partners

NAMES = ["background", "left_eye", "right_eye", "nose"]


def of_bright_sides(x: torch.Tensor) -> torch.Tensor:
    """Logits of `NAMES`: what is bright is an eye, of the side of the image that it lies on."""
    right = (torch.arange(x.shape[2]) >= x.shape[2] // 2).float()[:, None, None]
    bright = 8 * x[:, 0]
    return torch.stack([1 - bright, bright * (1 - right), bright * right, torch.zeros_like(bright)], dim=1)


def test_sides_are_exchanged_and_what_has_none_stays() -> None:
    assert partners(NAMES) == [0, 2, 1, 3]


def test_one_side_alone_is_reported() -> None:
    with pytest.raises(InputError, match="right_eye beside left_eye"):
        partners(["background", "left_eye"])


def test_a_network_that_knows_sides_gives_the_same_of_both_views() -> None:
    x = torch.zeros(1, 1, 12, 6, 6)
    x[:, :, 2, 3, 3] = x[:, :, 9, 1, 2] = 1
    plain, averaged = (MirrorInferer(SimpleInferer(), NAMES, enabled=on)(x, of_bright_sides) for on in (False, True))
    torch.testing.assert_close(averaged, plain.log_softmax(dim=1))  # exchanged back, and each voxel where it was


def test_the_mirror_image_is_seen_in_another_phase_of_a_stride() -> None:
    x = torch.rand(1, 1, 8, 8, 8)
    seen = []

    def network(y: torch.Tensor) -> torch.Tensor:
        seen.append(y)
        return torch.cat([y, -y, y * 0, y * 2], dim=1)

    answer = MirrorInferer(SimpleInferer(), NAMES)(x, network)
    assert [tuple(y.shape) for y in seen] == [(1, 1, 8, 8, 8), (1, 1, 9, 9, 9)]
    torch.testing.assert_close(seen[1][:, :, 1:, 1:, 1:], x.flip(2))
    torch.testing.assert_close(answer.exp().sum(dim=1), torch.ones(1, 8, 8, 8))
