from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from shared.layers.multires import MultiResBlock, ResidualConv, ResPath

EPS = 1e-5  # of batch norm: untrained and in eval mode it divides by sqrt(1 + EPS)
LAYERS = {  # both chain three 3×3 convolutions
    "block": lambda dims: MultiResBlock(dims, 2, filters=8),
    "path": lambda dims: ResPath(dims, 2, filters=4, length=3),
}


@pytest.fixture(autouse=True)
def _same_numbers_each_time() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("size", [(9, 7), (5, 3, 1)])
def test_a_block_of_32_filters_chains_8_17_and_26(size: tuple[int, ...]) -> None:
    block = MultiResBlock(len(size), 3, filters=32)
    kernel = (3,) * len(size)
    # 1.67 · 32 = 53.44, of which 0.167 are 8.9, 0.333 are 17.8 and 0.5 are 26.7, all rounded down.
    expected = [(8, 3, *kernel), (17, 8, *kernel), (26, 17, *kernel)]
    assert [conv.get_parameter("conv.weight").shape for conv in block.chain] == expected
    assert block.out_channels == 8 + 17 + 26
    assert block(torch.rand(2, 3, *size)).shape == (2, 51, *size)


@pytest.mark.parametrize("dims", [2, 3])
def test_the_chain_sees_3_5_and_7_voxels(dims: int) -> None:
    block = MultiResBlock(dims, 1, filters=8).eval()
    seen: list[Tensor] = []
    for conv in block.chain:
        nn.init.ones_(conv.get_parameter("conv.weight"))  # all positive: no two paths of the impulse cancel
        conv.register_forward_hook(lambda module, inputs, output: seen.append(output))
    from_centre = torch.stack(torch.meshgrid(*[torch.arange(11) - 5] * dims, indexing="ij")).abs().amax(dim=0)
    block((from_centre == 0).float()[None, None])
    for reach, response in zip((1, 2, 3), seen, strict=True):
        assert torch.equal(response[0] > 0, (from_centre <= reach).expand_as(response[0]))


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
@pytest.mark.parametrize(
    ("planes", "valid"),
    [
        ((0, 1, 0), slice(None)),  # zeros beside the centre plane: borders add nothing
        ((0.2, 0.5, 0.3), slice(3, 4)),  # three convolutions see the border from all but the middle of 7 planes
    ],
)
def test_a_3d_layer_equals_the_2d_layer_on_a_volume_constant_along_one_axis(
    make: Callable[[int], nn.Module], axis: int, planes: tuple[float, ...], valid: slice
) -> None:
    flat, deep = make(2).double().eval(), make(3).double().eval()
    state = {}
    for name, value in flat.state_dict().items():
        if value.is_floating_point():
            value = torch.rand_like(value) + 0.1 - 0.6 * (value.ndim == 4)  # kernels of both signs, variances positive
        flat.state_dict()[name].copy_(value)
        if value.ndim == 4:
            shares = torch.tensor(planes if value.shape[-1] == 3 else [1.0], dtype=value.dtype)
            value = torch.stack([share * value for share in shares], dim=axis + 2)
        state[name] = value
    deep.load_state_dict(state)
    image = torch.randn(2, 2, 6, 5, dtype=torch.float64)
    expected = flat(image)
    output = deep(torch.stack([image] * 7, dim=axis + 2))
    for plane in output.unbind(axis + 2)[valid]:
        # The sums differ in their order alone; float64 keeps 16 digits, values are below 1000.
        torch.testing.assert_close(plane, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("size", [(6, 5), (4, 3, 2)])
def test_a_path_has_length_convolutions_that_change_channels_once(size: tuple[int, ...]) -> None:
    path = ResPath(len(size), 5, filters=2, length=3)
    assert all(isinstance(step, ResidualConv) for step in path)
    assert [step.get_parameter("conv.conv.weight").shape[:2] for step in path] == [(2, 5), (2, 2), (2, 2)]
    assert path(torch.rand(3, 5, *size)).shape == (3, path.out_channels, *size) == (3, 2, *size)


def test_a_path_without_its_convolutions_rectifies_then_shifts() -> None:
    path = ResPath(2, 3, filters=3, length=4).double().eval()
    for step in path:
        nn.init.zeros_(step.get_parameter("conv.conv.weight"))
        nn.init.dirac_(step.get_parameter("residual.conv.weight"))
    nn.init.constant_(path[-1].get_parameter("norm.bias"), -1)
    x = torch.randn(2, 3, 4, 5, dtype=torch.float64)
    # Each step divides by sqrt(1 + EPS) on its 1×1 side and again at its end; the last shift comes after the ReLU.
    expected = x.clamp(min=0) / (1 + EPS) ** 4 - 1
    torch.testing.assert_close(path(x), expected, rtol=0, atol=1e-12)


def test_a_block_without_its_chain_adds_the_shift_of_the_chain_before_it_rectifies() -> None:
    block = MultiResBlock(3, 1, filters=8).double().eval()
    for conv in block.chain:
        nn.init.zeros_(conv.get_parameter("conv.weight"))
    nn.init.ones_(block.residual.get_parameter("conv.weight"))
    nn.init.constant_(block.get_parameter("norm_chain.bias"), 0.5)
    nn.init.constant_(block.get_parameter("norm_out.bias"), -1)
    x = torch.randn(2, 1, 3, 4, 5, dtype=torch.float64)
    expected = (0.5 + x / (1 + EPS) ** 0.5).clamp(min=0) / (1 + EPS) ** 0.5 - 1
    torch.testing.assert_close(block(x), expected.expand(-1, block.out_channels, -1, -1, -1), rtol=0, atol=1e-12)
