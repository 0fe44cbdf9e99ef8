import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from shared.tasks.registration.contrasts import agreement, contrast_warning

SIZES = [(60, 50), (40, 20, 22)]


def smooth(size: tuple[int, ...]) -> Tensor:
    """An image (1, 1, *S) from 0 to 1."""
    torch.manual_seed(0)
    coarse = torch.rand(1, 1, *[s // 4 for s in size])
    return F.interpolate(coarse, size=size, mode="bilinear" if len(size) == 2 else "trilinear", align_corners=True)


def still(pair: Tensor) -> Tensor:
    return pair.new_zeros(1, pair.ndim - 2, *pair.shape[2:])


@pytest.mark.parametrize("size", SIZES)
def test_an_image_agrees_with_itself_and_its_negative_and_not_with_one_folded_in_brightness(
    size: tuple[int, ...],
) -> None:
    image = smooth(size)
    for like in (image, 5 - 3 * image, image**2):
        assert agreement(image, like) > 0.99
    assert agreement(image, (2 * image - 1).abs()) < 0.5  # half of its edges go the other way
    assert agreement(image, torch.zeros_like(image)) == 0


@pytest.mark.parametrize("size", SIZES)
def test_unlike_contrasts_are_warned_about_where_the_moving_image_is(size: tuple[int, ...]) -> None:
    image = smooth(size)
    alike, unlike = (torch.cat([image, other], dim=1) for other in (image**2, (2 * image - 1).abs()))
    assert contrast_warning(alike, still(alike)) == ""
    assert "--similarity mind" in contrast_warning(unlike, still(unlike))
    part = torch.ones_like(image)
    part[:, :, : 3 * size[0] // 5] = 0
    mixed = torch.where(part > 0, alike, unlike)
    assert contrast_warning(mixed, still(mixed))
    assert contrast_warning(torch.cat([mixed, part], dim=1), still(mixed)) == ""
