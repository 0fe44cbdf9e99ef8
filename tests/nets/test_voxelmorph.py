from pathlib import Path
from typing import Any

import pytest
import torch

from shared.errors import InputError
from shared.layers.padding import pad_to_multiple
from shared.nets.voxelmorph import CoarseGuide, FineGuide, VoxelMorph
from shared.spatial.warping import compose, warp
from tests.running import assert_onnxruntime_agrees

FILTERS = (8, 8, 8)
SIZES = [(20, 27), (9, 13, 8)]


@pytest.fixture(autouse=True)
def _same_numbers_each_time() -> None:
    torch.manual_seed(0)


def bent(dims: int, **options: object) -> VoxelMorph:
    """A network that is no identity: its last layer has weights."""
    network = VoxelMorph(dims, filters=FILTERS, **options).eval()  # type: ignore[arg-type]
    torch.nn.init.normal_(network.unet.heads.get_parameter("0.weight"), std=0.3)
    return network


@pytest.mark.parametrize("half_resolution", [True, False])
@pytest.mark.parametrize("size", SIZES)
def test_untrained_it_is_the_identity_on_images_of_any_size_and_learns_from_there(
    size: tuple[int, ...], half_resolution: bool
) -> None:
    network = VoxelMorph(len(size), filters=FILTERS, half_resolution=half_resolution)
    pair = torch.rand(2, 2, *size)
    displacement = network(pair)
    assert torch.equal(displacement, torch.zeros(2, len(size), *size))
    (warp(pair[:, :1], displacement) - pair[:, 1:]).square().mean().backward()
    gradient = network.unet.heads.get_parameter("0.weight").grad
    assert gradient is not None
    assert gradient.abs().max() > 0


@pytest.mark.parametrize("size", [(64, 48), (32, 24, 28)])
def test_the_negated_velocity_leads_back(size: tuple[int, ...]) -> None:
    network = bent(len(size))
    # Smooth images, so that the field is not rougher than linear interpolation can follow.
    coarse = torch.rand(1, 2, *[s // 8 for s in size])
    pair = torch.nn.functional.interpolate(coarse, size=size, mode="bilinear" if len(size) == 2 else "trilinear")
    core: Any = (..., *[slice(8, -8)] * len(size))

    def left() -> float:
        """How far there and back ends from where it began, as a share of the way there."""
        with torch.no_grad():
            velocity = network.velocity(pair)
            there, back = (network.displacement(sign * velocity, size) for sign in (1, -1))
        assert float(there[core].abs().mean()) > 0.3
        return float(compose(there, back)[core].abs().mean() / there[core].abs().mean())

    integrated = left()
    network.steps = 0  # and now the way back is the way there with another sign
    # What is left is what the straight lines between the voxels of half the resolution cut off of a random field.
    assert integrated < 0.15
    assert left() > 2 * integrated


def test_half_the_resolution_is_told_in_voxels_of_the_whole() -> None:
    network, pair = bent(2), torch.rand(1, 2, 40, 40)
    with torch.no_grad():
        half, whole = network.velocity(pair), network(pair)
    assert half.shape[2:] == (20, 20)
    network.steps = 0  # the displacement is then the velocity itself
    with torch.no_grad():
        straight = network(pair)
    corners = (..., [0, 0, -1, -1], [0, -1, 0, -1])
    torch.testing.assert_close(straight[corners], half[corners] * 39 / 19)
    assert not torch.allclose(whole, straight)


def test_a_number_of_outputs_other_than_the_dimensions_is_refused() -> None:
    with pytest.raises(ValueError, match="expected 3 output channels"):
        VoxelMorph(3, 2, 2)


def test_a_guide_looks_at_each_image_alone_and_at_both_in_the_same_way() -> None:
    network = VoxelMorph(2, filters=FILTERS, guide=CoarseGuide(2, 3, filters=(4, 8)))
    pair = torch.rand(1, 2, 20, 28)
    with torch.no_grad():
        found, swapped = network.guided(pair), network.guided(pair.flip(1))
        alone = VoxelMorph(2, filters=FILTERS).guided(pair)
    assert found["guide"].shape == (1, 6, 10, 14)
    assert torch.equal(found["velocity"], torch.zeros(1, 2, 10, 14))
    torch.testing.assert_close(swapped["guide"], torch.cat(found["guide"].chunk(2, dim=1)[::-1], dim=1))
    assert alone.keys() == {"velocity"}


def test_what_the_guide_sees_moves_the_images() -> None:
    guide = CoarseGuide(2, 3, filters=(4, 8))
    network = VoxelMorph(2, filters=FILTERS, guide=guide)
    torch.nn.init.normal_(network.unet.heads.get_parameter("0.weight"), std=0.3)
    network(torch.rand(1, 2, 20, 28)).square().sum().backward()
    assert all(float(p.grad.abs().max()) > 0 for p in guide[0].parameters() if p.grad is not None)


@pytest.mark.parametrize("size", [(20, 28), (21, 27)])
def test_of_a_guide_of_full_resolution_the_unet_sees_the_means_of_blocks(size: tuple[int, int]) -> None:
    network, pair = bent(2, guide=FineGuide(2, 3, filters=(4, 8))), torch.rand(1, 2, *size)
    with torch.no_grad():
        found = network.guided(pair)
        assert found["guide"].shape == (1, 6, *size)
        torch.testing.assert_close(network.segmented(7 * pair + 2), found["guide"])  # it is standardised
        whole = [x.softmax(dim=1) for x in found["guide"].chunk(2, dim=1)]
        maps = [torch.nn.functional.avg_pool2d(pad_to_multiple(x, 2), 2) for x in whole]
        torch.testing.assert_close(found["velocity"], network.unet(torch.cat([network.reduce(pair), *maps], dim=1)))


@pytest.mark.parametrize("guided", [False, True])
@pytest.mark.parametrize("passes", [1, 2])
def test_of_a_symmetric_network_swapped_images_have_the_inverse(guided: bool, passes: int) -> None:
    coarse = CoarseGuide(2, 3, filters=(8, 8), norm="instance")
    guide = {"guide": coarse, "forces": True} if guided else {}
    network, pair = bent(2, passes=passes, symmetric=True, **guide), torch.rand(1, 2, 32, 24)
    with torch.no_grad():
        there, back = network.velocity(pair), network.velocity(pair.flip(1))
        torch.testing.assert_close(there, -back)
        network.symmetric = False
        one, other = network.velocity(pair), network.velocity(pair.flip(1))
        torch.testing.assert_close(there, (one - other) / 2)
        assert not torch.allclose(one, -other)
        network.symmetric = True
        torch.testing.assert_close(network.train().velocity(pair), one)  # half the time; it has no batch norm


def test_a_guide_without_half_the_resolution_is_refused() -> None:
    with pytest.raises(ValueError, match="expected half_resolution"):
        VoxelMorph(2, guide=CoarseGuide(2, 3, filters=(4, 8)), half_resolution=False)


@pytest.mark.parametrize("dims", [pytest.param(2, marks=pytest.mark.slow), 3])
def test_onnxruntime_gives_the_same_field(dims: int, tmp_path: Path) -> None:
    # In float32, seven interpolations in a row.
    assert_onnxruntime_agrees(bent(dims), (2, *(16, 24, 20)[:dims]), tmp_path, within=1e-4)


@pytest.mark.parametrize("half_resolution", [True, False])
@pytest.mark.parametrize("dims", [2, 3])
def test_images_of_one_voxel_at_the_deepest_level_are_refused_in_a_line(dims: int, half_resolution: bool) -> None:
    network = VoxelMorph(dims, filters=FILTERS, half_resolution=half_resolution)
    stride = 8 if half_resolution else 4  # two poolings, and the first convolution's
    with pytest.raises(InputError, match=f"pair: expected more than {stride} voxels along an axis.*--pixdim"):
        network(torch.rand(1, 2, *[stride] * dims))
    assert network(torch.rand(1, 2, stride + 1, *[stride] * (dims - 1))).shape[1] == dims
    # Without statistics of one image, one voxel is enough.
    assert VoxelMorph(dims, filters=FILTERS, norm=None)(torch.rand(1, 2, *[2] * dims)).shape[1] == dims


@pytest.mark.parametrize("guided", [False, True])
def test_a_second_pass_adds_what_the_unet_makes_of_the_pair_as_it_is_registered(guided: bool) -> None:
    guide = {"guide": CoarseGuide(2, 3, filters=(8, 8))} if guided else {}
    network, pair = bent(2, passes=2, **guide), torch.rand(1, 2, 32, 24)
    with torch.no_grad():
        both, maps = network.velocity(pair), [*network.segmented(pair).chunk(2, dim=1)] if guided else []
        network.passes = 1
        first = network.velocity(pair)
        displacement = network.displacement(first, pair.shape[2:])
        registered = torch.cat([warp(pair[:, :1], displacement), pair[:, 1:]], dim=1)
        maps = [x.softmax(dim=1) for x in maps]
        if maps:  # moved, rather than segmented again
            maps[0] = warp(maps[0], network.displacement(first, maps[0].shape[2:]))
        second = network.unet(torch.cat([network.reduce(registered), *maps], dim=1))
    torch.testing.assert_close(both, first + second)
    assert float(second.abs().max()) > 0.1


def test_a_regularity_changes_the_field_of_a_network_that_has_learned_it_and_may_be_set_at_any_time() -> None:
    network, pair = bent(2, regularity=0.5), torch.rand(1, 2, 32, 24)
    with torch.no_grad():
        for block in network.modulated:
            torch.nn.init.normal_(block.changes.weight, std=0.3)
        middle = network(pair)
        network.regularity = 1.0
        smooth = network(pair)
        network.regularity = 0.5
        assert torch.equal(network(pair), middle)
    assert not torch.allclose(smooth, middle)


@pytest.mark.parametrize("regularity", [-0.1, 7])
def test_a_regularity_that_was_not_learned_is_refused(regularity: float) -> None:
    with pytest.raises(InputError, match="--regularity: expected a number from 0 to 1"):
        VoxelMorph(2, filters=FILTERS, regularity=regularity)
