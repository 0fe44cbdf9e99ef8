"""Displacements do what they say: shifts, turns, chains and flows of known truth, in 2D and 3D."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

from shared.spatial.warping import compose, integrate, resize, resize_displacement, warp, warp_by_gathering

SIZES = [(9, 12), (7, 8, 6)]


@pytest.fixture(autouse=True)
def _same_numbers_each_time() -> None:
    torch.manual_seed(0)


def constant(size: tuple[int, ...], *vector: float) -> Tensor:
    field = torch.zeros(1, len(size), *size)
    for axis, value in enumerate(vector[: len(size)]):
        field[:, axis] = value
    return field


def smooth(size: tuple[int, ...], amplitude: float, dtype: torch.dtype = torch.float64) -> Tensor:
    """A random field that varies over some 6 voxels and is at most `amplitude` voxels long along each axis."""
    rng = np.random.default_rng(0)
    fields = [ndimage.gaussian_filter(rng.normal(size=size), 6, mode="nearest") for _ in size]
    return torch.as_tensor(np.stack([amplitude * f / abs(f).max() for f in fields])[None], dtype=dtype)


@pytest.mark.parametrize("size", SIZES)
def test_nothing_moves_by_nothing(size: tuple[int, ...]) -> None:
    image = torch.rand(2, 3, *size)
    still = torch.zeros(2, len(size), *size)
    # Voxel centres are scaled to -1 … 1 and back: some 1e-7 of a voxel, times differences up to 1.
    torch.testing.assert_close(warp(image, still), image, rtol=0, atol=1e-5)
    assert torch.equal(warp(image, still, mode="nearest"), image)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("axis", [0, 1])
def test_channel_i_moves_along_axis_i_and_outside_is_0(size: tuple[int, ...], axis: int) -> None:
    image, vector = torch.rand(1, 1, *size), [0.0] * len(size)
    vector[axis] = 2.0
    moved = warp(image, constant(size, *vector))
    inside = size[axis] - 2
    # The output at i is the image at i + 2: contents move towards the start.
    expected = image.narrow(axis + 2, 2, inside)
    torch.testing.assert_close(moved.narrow(axis + 2, 0, inside), expected, rtol=0, atol=1e-5)
    assert not moved.narrow(axis + 2, inside, 2).any()
    border = warp(image, constant(size, *vector), padding="border").narrow(axis + 2, inside, 2)
    last = image.narrow(axis + 2, size[axis] - 1, 1).expand_as(border)
    torch.testing.assert_close(border, last, rtol=0, atol=1e-5)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("mode", "order"), [("linear", 1), ("nearest", 0)])
def test_scipy_samples_the_same_places(size: tuple[int, ...], mode: str, order: int) -> None:
    image, field = torch.rand(1, 1, *size, dtype=torch.float64), smooth(size, 2.3)
    places = np.stack(np.meshgrid(*map(np.arange, size), indexing="ij")) + field[0].numpy()
    expected = ndimage.map_coordinates(image[0, 0].numpy(), places, order=order, mode="nearest")
    moved = warp(image, field, mode=mode, padding="border")[0, 0].numpy()
    np.testing.assert_allclose(moved, expected, rtol=0, atol=1e-12)


def test_a_volume_that_is_constant_along_an_axis_is_warped_as_its_slices() -> None:
    image, field = torch.rand(1, 2, 9, 12), smooth((9, 12), 2.0, torch.float32)
    volume = image[:, :, None].repeat(1, 1, 5, 1, 1)
    volume_field = torch.cat([torch.zeros(1, 1, 9, 12), field], dim=1)[:, :, None].repeat(1, 1, 5, 1, 1)
    flat, deep = warp(image, field), warp(volume, volume_field)
    for index in range(5):
        torch.testing.assert_close(deep[:, :, index], flat, rtol=0, atol=1e-5)


def test_one_voxel_along_an_axis_is_a_grid_too() -> None:
    image = torch.rand(1, 1, 1, 8)
    torch.testing.assert_close(warp(image, torch.zeros(1, 2, 1, 8)), image)


def test_warping_is_computed_in_float32_under_autocast() -> None:
    image, field = torch.rand(1, 1, 300, 4), constant((300, 4), 0.5)
    with torch.autocast("cpu", torch.bfloat16):
        moved = warp(image.bfloat16(), field.bfloat16())
    assert moved.dtype == torch.float32
    # The image was rounded to bfloat16; its coordinates near 300, which bfloat16 has in steps of 2, were not.
    expected = warp(image.bfloat16().float(), field)
    torch.testing.assert_close(moved, expected)


def test_shapes_that_disagree_and_unknown_modes_are_refused() -> None:
    image = torch.rand(1, 1, 4, 5)
    with pytest.raises(ValueError, match=r"expected a displacement \(1, 2, 4, 5\), got \(1, 2, 5, 4\)"):
        warp(image, torch.zeros(1, 2, 5, 4))
    with pytest.raises(ValueError, match="mode in"):
        warp(image, torch.zeros(1, 2, 4, 5), mode="cubic")


def test_gradients_of_warp_and_flow_are_right() -> None:
    image = torch.rand(1, 1, 4, 5, dtype=torch.float64, requires_grad=True)
    field = (0.3 * torch.rand(1, 2, 4, 5, dtype=torch.float64) + 0.1).requires_grad_()  # off the kinks at whole voxels
    assert torch.autograd.gradcheck(warp, (image, field))
    assert torch.autograd.gradcheck(lambda v: integrate(v, steps=3), (field,))


@pytest.mark.parametrize("size", [(40, 48), (24, 28, 26)])
def test_warping_twice_is_warping_by_the_composition(size: tuple[int, ...]) -> None:
    outer, inner = smooth(size, 1.5), smooth(size, 1.0).flip(2)
    # Of an image that is linear, interpolation loses nothing.
    axes = [torch.arange(s, dtype=torch.float64) * (a + 1) for a, s in enumerate(size)]
    image = torch.stack(torch.meshgrid(*axes, indexing="ij")).sum(dim=0)[None, None]
    twice = warp(warp(image, outer, padding="border"), inner, padding="border")
    once = warp(image, compose(outer, inner), padding="border")
    core: Any = (..., *[slice(4, -4)] * len(size))
    torch.testing.assert_close(once[core], twice[core], rtol=0, atol=1e-10)


@pytest.mark.parametrize("size", SIZES)
def test_the_flow_of_a_constant_velocity_is_the_velocity(size: tuple[int, ...]) -> None:
    velocity = constant(size, 1.7, -0.6, 0.4)
    torch.testing.assert_close(integrate(velocity), velocity, rtol=1e-5, atol=0)


def test_the_flow_of_a_linear_velocity_is_its_matrix_exponential() -> None:
    """v(x) = A (x - c) flows to c + exp(A) (x - c)."""
    size, matrix = (61, 61), torch.tensor([[0.1, -0.25], [0.3, 0.05]], dtype=torch.float64)
    x = torch.stack(torch.meshgrid(*(torch.arange(s, dtype=torch.float64) - 30 for s in size), indexing="ij"))
    velocity = torch.einsum("ij,jhw->ihw", matrix, x)[None]
    expected = (torch.einsum("ij,jhw->ihw", torch.linalg.matrix_exp(matrix), x) - x)[None]
    core = (..., slice(18, -18), slice(18, -18))  # where no path comes near the border
    errors = [float((integrate(velocity, steps=n)[core] - expected[core]).abs().max()) for n in (5, 6, 7)]
    # One Euler step of 2^-n is wrong by |A²| 2^-2n / 2, and 2^n of them by |A²| |x| 2^-n / 2: 0.004 of 12 voxels here.
    assert errors[2] < 0.01
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.1)  # first order
    assert errors[1] / errors[2] == pytest.approx(2, rel=0.1)


@pytest.mark.parametrize("size", [(40, 48), (24, 28, 26)])
def test_the_flow_back_undoes_the_flow(size: tuple[int, ...]) -> None:
    velocity = smooth(size, 2.0)
    there, back = integrate(velocity), integrate(-velocity)
    core: Any = (..., *[slice(4, -4)] * len(size))
    # Both are interpolated linearly between voxels, whose fields bend by some hundredths of a voxel.
    assert compose(there, back)[core].abs().max() < 0.03
    assert there[core].abs().max() > 0.5


@pytest.mark.parametrize("size", SIZES)
def test_a_resized_displacement_is_in_voxels_of_its_new_grid(size: tuple[int, ...]) -> None:
    """The field that doubles distances from the first voxel: x ↦ 2 x, on any grid."""

    def doubling(size: tuple[int, ...]) -> Tensor:
        axes = [torch.arange(s, dtype=torch.float32) for s in size]
        return torch.stack(torch.meshgrid(*axes, indexing="ij"))[None]

    new = tuple(2 * s + 1 for s in size)
    torch.testing.assert_close(resize_displacement(doubling(size), new), doubling(new), rtol=1e-5, atol=1e-4)
    field = smooth(size, 1.0)
    assert resize_displacement(field, size) is field


@pytest.mark.parametrize("stride", [2, 3, 4])
def test_a_coarser_grid_shows_a_ramp_where_it_was(stride: int) -> None:
    ramp = torch.linspace(0, 1, 33).reshape(1, 1, 33, 1).expand(1, 1, 33, 24)
    small = resize(ramp, (33 // stride, 24))
    inner = slice(2, -2)  # at the ends the window has voxels on one side only
    expected = torch.linspace(0, 1, 33 // stride)[inner]
    torch.testing.assert_close(small[0, 0, inner, 3], expected, rtol=0, atol=1e-5)
    assert resize(ramp, (33, 24)) is ramp


def test_what_alternates_faster_than_a_coarser_grid_can_show_is_averaged_out_before() -> None:
    stripes = torch.ones(1, 1, 33, 24)
    stripes[:, :, 1::2] = -1
    # Every second voxel is taken: of the average of three, 1 - 2 / 3, where taking the voxel itself would give 1.
    torch.testing.assert_close(resize(stripes, (17, 24))[0, 0, 1:-1, 1:-1], torch.full((15, 22), -1 / 3))


def test_a_coarser_grid_keeps_a_constant_up_to_its_border() -> None:
    torch.testing.assert_close(resize(torch.ones(1, 2, 21, 16, 10), (10, 8, 5)), torch.ones(1, 2, 10, 8, 5))


@pytest.mark.parametrize("padding", ["zeros", "border"])
@pytest.mark.parametrize("size", SIZES)
def test_gathering_gives_what_sampling_gives_also_outside(size: tuple[int, ...], padding: str) -> None:
    image = torch.rand(2, 3, *size, dtype=torch.float64)
    displacement = 6 * torch.randn(2, len(size), *size, dtype=torch.float64)
    displacement[0, 0].view(-1)[0] = 1e6  # far away
    expected = warp(image, displacement, padding=padding)
    torch.testing.assert_close(warp_by_gathering(image, displacement, padding=padding), expected, rtol=0, atol=1e-9)
    assert (expected == 0).any() == (padding == "zeros")
