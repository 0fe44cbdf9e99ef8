import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from shared.tasks.registration.contrasts import agreement, contrast_warning, in_one_contrast

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


def striped(size: tuple[int, ...]) -> Tensor:
    """(3, *S): what is likely where a ball has stripes of two kinds, the background first, with soft borders."""
    lines = [torch.linspace(-1, 1, side) for side in size]
    places = torch.stack(torch.meshgrid(*lines, indexing="ij"))
    outer, stripe = 40 * (0.8 - places.norm(dim=0)), 3 * torch.sin(12 * places[0])
    return torch.stack([-outer, torch.minimum(outer, -stripe), torch.minimum(outer, stripe)]).softmax(dim=0)


@pytest.mark.parametrize("size", SIZES)
def test_images_of_unlike_contrasts_look_alike_in_the_tissues_of_the_moving_one(size: tuple[int, ...]) -> None:
    """The guide sees half the resolution, and a soft border where the image has an edge."""
    shares = striped(size)
    truth = shares.argmax(dim=0)
    moving, fixed = (torch.tensor(means)[truth] + 0.02 * torch.randn(size) for means in ([0, 0.4, 0.9], [0, 0.8, 0.3]))
    pair = torch.stack([moving, fixed])[None]
    coarse = F.interpolate(shares[None], scale_factor=0.5, mode="area").expand(2, *[-1] * (len(size) + 1))
    found = in_one_contrast(pair, coarse)
    assert found is not None
    core = truth > 0
    assert torch.corrcoef(pair[0, :, core])[0, 1] < 0
    assert torch.corrcoef(torch.cat([moving[None], found[0]])[:, core]).amin() > 0.9


def test_where_nothing_is_but_background_there_is_no_contrast_in_common() -> None:
    pair = smooth((20, 24)).expand(1, 2, -1, -1)
    shares = torch.zeros(2, 3, 10, 12).index_fill(1, torch.tensor(0), 1)
    assert in_one_contrast(pair, shares) is None
