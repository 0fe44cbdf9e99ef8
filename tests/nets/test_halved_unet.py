"""The halved U-Net answers at full resolution, and its quick answer on every other voxel is the same one."""

from itertools import product

import pytest
import torch
from torch import nn

from shared.engine.kept import Kept
from shared.nets.halved_unet import HalvedUNet, every_other


def network(dims: int) -> HalvedUNet:
    torch.manual_seed(0)
    net = HalvedUNet(dims, 1, 5, filters=(4, 8, 8), hidden=6).eval()
    nn.init.normal_(net.outer.weight, std=0.3)  # zero at the start, which would hide the residual layer
    return net


@pytest.mark.parametrize("size", [(16, 24), (16, 8, 24)])
def test_every_other_voxel_is_answered_as_in_the_whole(size: tuple[int, ...]) -> None:
    net, image = network(len(size)), torch.rand(2, 1, *size)
    whole = net(image)
    for corner in product((0, 1), repeat=len(size)):
        # The same sums in another order: float32 rounding of some 50 terms below 1.
        torch.testing.assert_close(net.at(image, corner), every_other(whole, corner), rtol=1e-4, atol=1e-5)


def test_every_other_voxel_begins_at_the_corner() -> None:
    image = torch.arange(20).reshape(1, 1, 4, 5)
    assert every_other(image, (1, 0)).tolist() == [[[[5, 7, 9], [15, 17, 19]]]]


@pytest.mark.parametrize("size", [(13, 21), (9, 10, 11)])
def test_any_size_is_answered_at_its_own(size: tuple[int, ...]) -> None:
    assert network(len(size))(torch.rand(1, 1, *size)).shape == (1, 5, *size)


def test_a_part_of_a_size_that_does_not_divide_is_refused() -> None:
    with pytest.raises(ValueError, match=r"divide by 8, got \(16, 12\)"):
        network(2).at(torch.rand(1, 1, 16, 12), (0, 0))


def test_a_flat_volume_is_a_picture() -> None:
    """3D convolutions whose kernels are those of 2D in the middle slice, zero elsewhere, on a volume of equal slices.

    Strided ones average over both slices of a cell.
    """
    flat, solid = network(2), network(3)
    state = {}
    for (name, kernel), like in zip(flat.state_dict().items(), solid.state_dict().values()):
        if kernel.ndim == 4:
            spread = torch.zeros_like(like)
            depth = like.shape[-1]
            if "cells" in name or "ups" in name:
                spread[:] = kernel[..., None]
            elif depth % 2:
                spread[..., depth // 2] = kernel
            else:
                spread[..., 1] = spread[..., 2] = kernel / 2
            kernel = spread
        state[name] = kernel
    solid.load_state_dict(state)
    picture = torch.rand(1, 1, 16, 16)
    volume = picture[..., None].expand(-1, -1, -1, -1, 8)
    torch.testing.assert_close(solid(volume)[..., 3], flat(picture), rtol=1e-4, atol=1e-5)


def test_the_residual_layer_begins_as_nothing_and_is_learned() -> None:
    net = HalvedUNet(2, 1, 5, filters=(4, 8), hidden=6)
    assert not net.outer.weight.any()
    net(torch.rand(1, 1, 8, 8)).square().sum().backward()
    assert net.outer.weight.grad is not None
    assert net.outer.weight.grad.any()


@pytest.mark.parametrize("size", [(13, 21), (9, 10, 11)])
def test_parts_of_the_voxels_are_answered_one_after_another_as_the_whole_is(size: tuple[int, ...]) -> None:
    net, image = network(len(size)), torch.rand(2, 1, *size)
    answered = []
    handle = net.head.register_forward_hook(lambda module, args, output: answered.append(output.shape[2:].numel()))
    with torch.no_grad():
        found = net(image)
    handle.remove()
    assert len(answered) == 2 ** len(size)
    assert len(set(answered)) == 1
    net.training = True  # itself alone; its batch norms stay as they are
    torch.testing.assert_close(found, net(image), rtol=1e-4, atol=1e-5)


def test_a_gradient_is_that_of_the_whole_and_keeps_no_hidden_units() -> None:
    net, image = network(3), torch.rand(1, 1, 16, 16, 16, requires_grad=True)
    gradients, kept = [], []
    for net.training in (True, False):  # itself alone
        with Kept() as way_back:
            net(image).square().sum().backward()
        assert image.grad is not None
        gradients.append(image.grad.clone())
        kept.append(way_back.bytes)
        image.grad = None
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-4, atol=1e-4)  # of up to 5, sums in another order
    hidden = 6 * image.numel() * 4  # bytes of its 6 units in float32: kept thrice, after each layer
    assert kept[1] < kept[0] - 2 * hidden
