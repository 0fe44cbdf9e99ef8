from collections.abc import Callable
from itertools import product

import pytest
import torch
from monai.inferers import SimpleInferer
from torch import Tensor, nn

from shared.engine.inferers import AutocastInferer, FlipInferer, TiledInferer, computes_in_bfloat16
from shared.errors import InputError


class Recorder(nn.Module):
    """Runs `network` and keeps what went in and came out."""

    def __init__(self, network: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.network = network
        self.inputs: list[Tensor] = []
        self.outputs: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        self.inputs.append(x.clone())
        self.outputs.append(self.network(x))
        return self.outputs[-1].clone()  # the sliding window multiplies in place

    @property
    def sizes(self) -> list[tuple[int, ...]]:
        return [tuple(x.shape[2:]) for x in self.inputs]


@pytest.fixture(autouse=True)
def _same_numbers_each_time() -> None:
    torch.manual_seed(0)


def blurred(x: Tensor) -> Tensor:
    """Two classes from a 3×3 mean: no direction is special."""
    mean = nn.functional.avg_pool2d(x, 3, stride=1, padding=1)
    return torch.cat([mean, 3 * mean.square()], dim=1)


def shifted(x: Tensor) -> Tensor:
    """Two classes, of which the second looks one voxel down and two to the left."""
    return torch.cat([x, 3 * x.roll((1, -2), dims=(2, 3))], dim=1)


@pytest.mark.parametrize("size", [(8, 6), (5, 6), (1, 3)])
def test_an_image_up_to_the_tile_is_run_whole_at_its_own_size(size: tuple[int, ...]) -> None:
    x, net = torch.randn(1, 1, *size), Recorder(nn.Conv2d(1, 3, 3, padding=1))
    logits = TiledInferer((8, 6))(x, net)
    assert net.sizes == [size]
    assert torch.equal(logits, net.outputs[0])
    assert torch.equal(logits, net.network(x))  # no border was added that the convolution could see


def test_a_larger_image_is_seen_in_tiles_that_fit_each_axis() -> None:
    net = Recorder(nn.Conv3d(1, 2, 1))
    TiledInferer((8, 8, 8), overlap=0.5)(torch.randn(1, 1, 20, 8, 5), net)
    # Steps of 4 along the first axis: tiles begin at 0, 4, 8 and 12. Along the last one the image is the smaller.
    assert net.sizes == [(8, 8, 5)] * 4


@pytest.mark.parametrize("mode", ["constant", "gaussian"])
@pytest.mark.parametrize("size", [(21, 9), (6, 30), (13, 11, 7)])
def test_tiles_of_a_pointwise_network_add_up_to_the_whole(mode: str, size: tuple[int, ...]) -> None:
    conv: nn.Module = (nn.Conv2d if len(size) == 2 else nn.Conv3d)(2, 3, 1)
    x = torch.randn(2, 2, *size)
    logits = TiledInferer([8] * len(size), sw_batch_size=3, overlap=0.4, mode=mode)(x, conv)
    # A weighted mean of equal values, of which each voxel has at most 2³: float32 keeps 7 digits, values are below 10.
    torch.testing.assert_close(logits, conv(x), rtol=0, atol=1e-5)


def test_the_tile_is_the_same_after_a_small_image_and_after_a_failure() -> None:
    def fail(x: Tensor) -> Tensor:
        raise RuntimeError("out of memory")

    inferer, net = TiledInferer((8, 8)), Recorder(nn.Conv2d(1, 1, 1))
    inferer(torch.randn(1, 1, 3, 3), net)
    with pytest.raises(RuntimeError, match="out of memory"):
        inferer(torch.randn(1, 1, 4, 4), Recorder(fail))
    inferer(torch.randn(1, 1, 9, 8), net)
    assert net.sizes == [(3, 3), (8, 8), (8, 8)]
    assert inferer.roi_size == (8, 8)


def test_one_number_is_a_tile_of_equal_sides() -> None:
    net = Recorder(nn.Conv2d(1, 1, 1))
    TiledInferer(8, overlap=0)(torch.randn(1, 1, 16, 5), net)
    assert net.sizes == [(8, 5), (8, 5)]


def test_without_axes_logits_come_back_as_they_are() -> None:
    x = torch.randn(2, 1, 4, 5)
    assert torch.equal(FlipInferer(SimpleInferer())(x, Recorder(shifted)), shifted(x))


@pytest.mark.parametrize("net", [blurred, nn.Conv2d(1, 3, 1)], ids=["blurred", "pointwise"])
def test_flips_leave_the_probabilities_of_an_equivariant_network_alone(net: Callable[[Tensor], Tensor]) -> None:
    x = torch.randn(2, 1, 6, 5)
    log_probabilities = FlipInferer(SimpleInferer(), axes=(0, 1))(x, Recorder(net))
    torch.testing.assert_close(log_probabilities, net(x).log_softmax(dim=1), rtol=0, atol=1e-5)  # float32 near 10


def test_flips_average_the_probabilities_of_each_combination_once() -> None:
    x, net = torch.randn(1, 1, 3, 4, 5), Recorder(lambda x: torch.cat([x, x.roll(1, dims=4), x.roll(1, dims=2)], dim=1))
    log_probabilities = FlipInferer(SimpleInferer(), axes=(0, 2))(x, net)
    flips = [[axis for axis, chosen in ((2, first), (4, last)) if chosen] for first, last in product((0, 1), (0, 1))]
    assert len(net.inputs) == 4
    assert all(any(torch.equal(x.flip(axes), seen) for seen in net.inputs) for axes in flips)
    expected = torch.stack([net.network(x.flip(axes)).softmax(dim=1).flip(axes) for axes in flips]).mean(dim=0)
    torch.testing.assert_close(log_probabilities.exp(), expected, rtol=0, atol=1e-6)  # float32, values up to 1


@pytest.mark.parametrize("axis", [0, 1])
def test_a_network_becomes_equivariant_along_the_axes_that_are_flipped_alone(axis: int) -> None:
    x, net, inferer = torch.randn(1, 1, 6, 5), Recorder(shifted), FlipInferer(SimpleInferer(), axes=(axis,))

    def error(flipped: int) -> float:
        return float((inferer(x.flip(flipped + 2), net).flip(flipped + 2) - inferer(x, net)).abs().max())

    assert error(axis) < 1e-5  # the mean of the same two numbers, up to the rounding of float32
    assert error(1 - axis) > 0.1


def turned(x: Tensor, quarters: int, mirrored: bool) -> Tensor:
    """One of a square's 8 symmetries: mirror left and right or not, then turn by quarters."""
    return (x.flip(3) if mirrored else x).rot90(quarters, dims=(2, 3))


def turned_back(x: Tensor, quarters: int, mirrored: bool) -> Tensor:
    x = x.rot90(-quarters, dims=(2, 3))
    return x.flip(3) if mirrored else x


SYMMETRIES = list(product(range(4), (False, True)))


@pytest.mark.parametrize("size", [(5, 5), (4, 7)])
def test_flips_and_the_transpose_show_each_symmetry_of_a_square_once(size: tuple[int, int]) -> None:
    x, net = torch.randn(1, 1, *size), Recorder(shifted)
    FlipInferer(SimpleInferer(), axes=(0, 1), transpose=True)(x, net)
    assert len(net.inputs) == 8
    for symmetry in SYMMETRIES:
        assert sum(torch.equal(turned(x, *symmetry), seen) for seen in net.inputs) == 1, symmetry


@pytest.mark.parametrize("size", [(5, 5), (4, 7)])
def test_the_average_over_the_symmetries_is_the_mean_of_the_softmaxes_turned_back(size: tuple[int, int]) -> None:
    x = torch.randn(2, 1, *size)
    log_probabilities = FlipInferer(SimpleInferer(), axes=(0, 1), transpose=True)(x, Recorder(shifted))
    views = [turned_back(shifted(turned(x, *symmetry)).softmax(dim=1), *symmetry) for symmetry in SYMMETRIES]
    torch.testing.assert_close(log_probabilities.exp(), torch.stack(views).mean(dim=0), rtol=0, atol=1e-6)  # float32


def test_the_transpose_alone_makes_two_views() -> None:
    x, net = torch.randn(1, 1, 4, 7), Recorder(shifted)
    log_probabilities = FlipInferer(SimpleInferer(), transpose=True)(x, net)
    assert net.sizes == [(4, 7), (7, 4)]
    expected = (shifted(x).softmax(dim=1) + shifted(x.mT).softmax(dim=1).mT) / 2
    torch.testing.assert_close(log_probabilities.exp(), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", [(4, 7), (30, 9), (1, 12), (4, 7, 3)])
def test_a_rectangular_image_comes_back_in_its_own_shape_though_its_tiles_lie_down(size: tuple[int, ...]) -> None:
    conv: nn.Module = (nn.Conv2d if len(size) == 2 else nn.Conv3d)(1, 2, 1)
    x, tiles = torch.randn(1, 1, *size), TiledInferer((8, 6, 5)[: len(size)], overlap=0.25)
    log_probabilities = FlipInferer(tiles, axes=(0, 1), transpose=True)(x, conv)
    # A pointwise network is not changed by any of it: float32 keeps 7 digits, values are below 10.
    torch.testing.assert_close(log_probabilities, conv(x).log_softmax(dim=1), rtol=0, atol=1e-5)


def test_a_network_that_looks_one_way_becomes_equivariant_under_the_transposition_that_is_averaged() -> None:
    x, net = torch.randn(1, 1, 6, 5), Recorder(shifted)

    def error(**views: bool) -> float:
        inferer = FlipInferer(SimpleInferer(), axes=(0, 1), **views)
        return float((inferer(x.mT, net).mT - inferer(x, net)).abs().max())

    assert error(transpose=True) < 1e-5  # the mean of the same eight numbers, up to the rounding of float32
    assert error(transpose=False) > 0.1


@pytest.mark.parametrize(("enabled", "native"), [(True, True), (True, False), (False, True)])
def test_autocast_computes_in_bfloat16_where_that_is_wanted_and_native(
    monkeypatch: pytest.MonkeyPatch, enabled: bool, native: bool
) -> None:
    monkeypatch.setattr("shared.engine.inferers.computes_in_bfloat16", lambda device: native)
    x, net = torch.randn(2, 1, 4, 5), Recorder(nn.Conv2d(1, 1, 1, bias=False))
    nn.init.ones_(net.get_parameter("network.weight"))
    logits = AutocastInferer(enabled=enabled)(x, net)
    inside = torch.bfloat16 if enabled and native else torch.float32
    assert (net.outputs[0].dtype, logits.dtype) == (inside, torch.float32)
    assert torch.equal(logits, x.to(inside).float())  # of a weight of 1 nothing is left but the rounding
    assert torch.equal(logits, x) == (inside is torch.float32)


def test_each_output_of_a_dictionary_or_a_list_comes_back_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.engine.inferers.computes_in_bfloat16", lambda device: True)
    x, conv = torch.randn(2, 1, 4, 5), nn.Conv2d(1, 1, 1, bias=False)
    nn.init.ones_(conv.weight)
    named = AutocastInferer()(x, lambda x: {"there": conv(x), "back": -conv(x)})
    listed = AutocastInferer()(x, lambda x: [conv(x), -conv(x)])
    rounded = x.bfloat16().float()
    assert list(named) == ["there", "back"]
    for there, back in (named.values(), listed):
        assert (there.dtype, back.dtype) == (torch.float32, torch.float32)
        assert torch.equal(there, rounded)
        assert torch.equal(back, -rounded)


def test_gradients_too_small_for_float16_survive_autocast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.engine.inferers.computes_in_bfloat16", lambda device: True)
    net = nn.Conv2d(1, 1, 1)
    (1e-20 * AutocastInferer()(torch.ones(1, 1, 2, 2), net).sum()).backward()
    gradient = net.get_parameter("weight").grad
    assert gradient is not None
    # Four ones of 1e-20, whereas float16 ends at 6e-8; bfloat16 has 8 bits, each of few roundings within 2^-8.
    assert gradient.item() == pytest.approx(4e-20, rel=0.01, abs=0)


def test_one_tile_size_serves_pictures_and_then_volumes() -> None:
    tiled = TiledInferer(8, overlap=0.5)
    for shape in ((1, 1, 5, 12), (1, 1, 5, 12, 9)):
        image = torch.rand(shape)
        # A sum of weighted copies divided by the sum of the weights is exact but for float32's last bits.
        torch.testing.assert_close(tiled(image, lambda x: x), image, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("axes", [[3], [-1], [0, 0], [[1]], ["x"]])
def test_axes_that_an_image_has_not_are_refused(axes: list) -> None:
    with pytest.raises(InputError, match=r"^--flip_axes: expected axes from 0 to 2, each once, got "):
        FlipInferer(SimpleInferer(), axes)


def test_flips_of_a_single_channel_are_refused_since_its_softmax_is_one() -> None:
    with pytest.raises(ValueError, match="two or more classes"):
        FlipInferer(SimpleInferer(), [0])(torch.rand(1, 1, 4, 4), lambda x: x)


def test_flips_keep_log_probabilities_finite_where_probabilities_underflow() -> None:
    image = torch.tensor([[200.0], [0.0]]).reshape(1, 2, 1, 1).expand(1, 2, 2, 2)  # exp(-200) is 0 in float32
    averaged = FlipInferer(SimpleInferer(), [0])(image, lambda x: x)
    torch.testing.assert_close(averaged[:, 1], torch.full((1, 2, 2), -200.0))


@pytest.mark.parametrize(
    ("features", "lower"),
    [({"amx_bf16": True, "avx512_bf16": True}, True), ({"amx_bf16": False, "avx512_bf16": True}, False), ({}, False)],
)
def test_a_processor_computes_in_bfloat16_only_with_amx(
    monkeypatch: pytest.MonkeyPatch, features: dict[str, bool], lower: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: features)
    assert computes_in_bfloat16(torch.device("cpu")) is lower
    net = Recorder(nn.Conv2d(1, 1, 1))
    AutocastInferer()(torch.ones(1, 1, 2, 2), net)
    assert net.outputs[0].dtype is (torch.bfloat16 if lower else torch.float32)
