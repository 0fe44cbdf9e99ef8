from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from shared.tasks.registration.mind import DILATION, self_similarity
from shared.tasks.registration.similarity import similarity_named

LOSS = replace(similarity_named("mind"), weight=1.0)
SIZES = [(11, 14), (9, 8, 10)]


@pytest.fixture(autouse=True)
def _same_numbers_each_time() -> None:
    torch.manual_seed(0)


def by_definition(image: Tensor, noise: float) -> Tensor:
    """The descriptors pair by pair, from the image moved to each neighbour."""
    dims, reach = image.ndim - 2, DILATION + 1
    padded = F.pad(image, [reach] * (2 * dims), mode="replicate")

    def around(axis: int, step: int) -> Tensor:
        """Of the neighbour of each voxel, with a margin of one for its patch."""
        starts = [reach - 1 + (step if i == axis else 0) for i in range(dims)]
        part: Any = (..., *[slice(start, start + size + 2) for start, size in zip(starts, image.shape[2:])])
        return padded[part]

    neighbours = [(axis, step) for axis in range(dims) for step in (DILATION, -DILATION)]
    mean = F.avg_pool2d if dims == 2 else F.avg_pool3d
    apart = [
        mean((around(*one) - around(*other)) ** 2, 3, stride=1)
        for one, other in combinations(neighbours, 2)
        if one[0] != other[0]  # √2 apart, and not at opposite sides
    ]
    distance = torch.cat(apart, dim=1)
    distance = distance - distance.amin(dim=1, keepdim=True)
    return torch.exp(-distance / (distance.mean(dim=1, keepdim=True) + noise))


@pytest.mark.parametrize(("size", "channels"), [(SIZES[0], 4), (SIZES[1], 12)])
def test_the_descriptors_are_those_of_the_definition_to_the_border(size: tuple[int, ...], channels: int) -> None:
    image = torch.rand(2, 1, *size, dtype=torch.float64)
    found = self_similarity(image, noise=0.01)
    assert found.shape == (2, channels, *size)
    expected = by_definition(image, noise=0.01)
    # The order of the channels is free, since it is the same in both images.
    torch.testing.assert_close(found.sort(dim=1).values, expected.sort(dim=1).values, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("size", SIZES)
def test_gain_offset_and_inversion_change_nothing_but_noise(size: tuple[int, ...]) -> None:
    image = torch.rand(1, 1, *size, dtype=torch.float64)
    torch.testing.assert_close(self_similarity(5 - 3 * image, noise=0.0), self_similarity(image, noise=0.0))


@pytest.mark.parametrize("size", SIZES)
def test_a_constant_image_is_like_itself_everywhere_and_has_a_gradient(size: tuple[int, ...]) -> None:
    flat = torch.full((1, 1, *size), 0.3, requires_grad=True)
    assert torch.equal(self_similarity(flat), torch.ones_like(self_similarity(flat)))
    LOSS(flat, torch.rand(1, 1, *size)).backward()
    assert flat.grad is not None
    assert torch.isfinite(flat.grad).all()


def test_noise_in_air_is_seen_less() -> None:
    """The noise of air, of a hundredth of the contrast, has a variance of 2e-4, less than `NOISE`."""
    air, tissue = 0.01 * torch.randn(1, 1, 40, 40), torch.rand(1, 1, 40, 40)
    assert float(1 - self_similarity(air).mean()) < 0.6 * float(1 - self_similarity(tissue).mean())


@pytest.mark.parametrize("size", [(7, 8), (6, 5, 6)])
def test_the_gradient_is_right(size: tuple[int, ...]) -> None:
    a, b = (torch.rand(1, 1, *size, dtype=torch.float64, requires_grad=True) for _ in range(2))
    assert torch.autograd.gradcheck(LOSS, (a, b))


def test_bfloat16_is_computed_in_float32() -> None:
    a, b = torch.rand(2, 1, 1, 12, 14).bfloat16().unbind()
    assert self_similarity(a).dtype == torch.float32
    assert torch.equal(LOSS(a, b), LOSS(a.float(), b.float()))


@pytest.mark.parametrize("size", SIZES)
def test_images_of_one_structure_are_at_0_and_what_sees_the_outside_is_left_out_of_the_mean(
    size: tuple[int, ...],
) -> None:
    a, b = torch.rand(2, 1, 1, *size).unbind()
    inside = torch.ones(1, 1, *size)
    inside[:, :, :2] = 0
    assert float(LOSS(a, 1 - a)) == pytest.approx(0, abs=1e-6)
    # A descriptor sees three voxels far, so that those of five rows see what is not inside.
    expected = (self_similarity(a) - self_similarity(b))[:, :, 5:].square().mean()
    assert float(LOSS(a, b, inside=inside)) == pytest.approx(float(expected))


@pytest.mark.parametrize("size", SIZES)
def test_other_channels_of_an_image_are_compared_by_ncc(size: tuple[int, ...]) -> None:
    a, b = torch.rand(2, 1, 2, *size)
    inside = (torch.rand(1, 1, *size) > 0.1).float()
    mind, ncc = similarity_named("mind", window=5), similarity_named("ncc", window=5)
    expected = mind(a[:, :1], b[:, :1], inside=inside) + ncc(a[:, 1:], b[:, 1:], inside=mind.seen(inside))
    torch.testing.assert_close(mind(a, b, inside=inside), expected)
    pair = torch.cat([a, b], dim=1)
    torch.testing.assert_close(mind.of_pair(pair), torch.cat([mind.features(a), mind.features(b)], dim=1))
