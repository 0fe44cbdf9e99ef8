from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from monai.losses import DiceLoss
from torch import nn

from shared.layers.multires import MultiResBlock, ResPath
from shared.layers.padding import pad_to_multiple
from shared.layers.plain import PlainBlock, PlainSkip
from shared.layers.recomputing import recomputed
from shared.nets.multiresunet import MultiResUNet

SIZES = [(16, 8), (7, 13), (1, 37), (1, 1), (8, 16, 8), (5, 9, 11), (1, 3, 17)]  # at a stride of 8


@pytest.fixture(autouse=True)
def _repeatable_and_on_one_thread() -> Iterator[None]:
    torch.manual_seed(0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # tensors this small take longer to share out than to compute
    yield
    torch.set_num_threads(threads)


def small(dims: int, filters: Sequence[int] = (4, 4, 4, 8), **parts: Any) -> MultiResUNet:
    return MultiResUNet(dims, 1, 2, filters=filters, **parts)


def on_paper(dims: int, inputs: int, outputs: int, **parts: Any) -> MultiResUNet:
    with torch.device("meta"):  # counting needs no memory
        return MultiResUNet(dims, inputs, outputs, **parts)


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def conv(inputs: int, outputs: int, taps: int, bias: bool = True) -> int:
    return taps * inputs * outputs + bias * outputs


@pytest.mark.parametrize(
    ("dims", "inputs", "ours", "published"), [(2, 3, 7_244_774, 7_262_750), (3, 4, 18_639_713, 18_657_689)]
)
def test_multiresunet_has_the_parameters_of_the_paper(dims: int, inputs: int, ours: int, published: int) -> None:
    net = on_paper(dims, inputs, 1)
    norms = {name: m.num_features for name, m in net.named_modules() if isinstance(m, nn.BatchNorm2d | nn.BatchNorm3d)}
    # Keras, in which the authors counted, includes running means and variances. Theirs has no scale in the norm of a
    # convolution, and on its last one a norm (shift, mean, variance) in place of a bias.
    gammas = sum(channels for name, channels in norms.items() if name.endswith(".adn.N"))
    assert count(net) == ours
    assert ours + 2 * sum(norms.values()) - gammas + (3 - 1) == published


@pytest.mark.parametrize(("dims", "inputs", "expected"), [(2, 1, 7_759_521), (3, 4, 22_577_921)])
def test_the_plain_variant_has_the_parameters_of_a_unet(dims: int, inputs: int, expected: int) -> None:
    levels = (32, 64, 128, 256, 512)
    total = sum(conv(i, o, 3**dims) + conv(o, o, 3**dims) for i, o in zip((inputs, *levels), levels))
    for narrow, wide in pairwise(levels):  # up, then two convolutions, of which the first sees the skip as well
        total += conv(wide, narrow, 2**dims) + conv(2 * narrow, narrow, 3**dims) + conv(narrow, narrow, 3**dims)
    assert total + conv(32, 1, taps=1) == expected
    assert count(on_paper(dims, inputs, 1, block="plain", skip="plain", norm=None)) == expected


def test_the_3d_unet_of_the_paper_is_another_one() -> None:
    # Çiçek et al. 2016, fig. 2: channels double ahead of the pooling, up-convolutions keep them and have no bias.
    widths = [(3, 32, 64), (64, 64, 128), (128, 128, 256), (256, 256, 512)]
    widths += [(512 + 256, 256, 256), (256 + 128, 128, 128), (128 + 64, 64, 64)]
    total = sum(conv(a, b, 27) + conv(b, c, 27) for a, b, c in widths)
    total += sum(conv(c, c, 8, bias=False) for c in (512, 256, 128)) + conv(64, 3, taps=1)
    assert total == 19_069_955 != 22_577_921  # MultiResUNet's table 2; the 3D twin of its own 2D U-Net


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_any_size_is_padded_at_its_far_border_and_cropped_back(size: tuple[int, ...]) -> None:
    net = small(len(size)).eval()
    x = torch.randn(1, 1, *size)
    padded = torch.from_numpy(np.pad(x, [(0, 0), (0, 0), *((0, -s % 8) for s in size)], mode="edge"))
    logits = net(x)
    assert logits.shape == (1, 2, *size)
    assert torch.equal(pad_to_multiple(x, 8), padded)
    assert torch.equal(logits, net(padded)[(..., *map(slice, size))])  # the same numbers went the same way


def test_a_size_that_divides_is_not_copied() -> None:
    x = torch.rand(1, 1, 8, 24)
    assert pad_to_multiple(x, 8) is x


@pytest.mark.parametrize(("block", "block_class"), [("multires", MultiResBlock), ("plain", PlainBlock)])
@pytest.mark.parametrize(("skip", "skip_class"), [("respath", ResPath), ("plain", PlainSkip)])
def test_block_and_skip_choose_the_modules(block: str, block_class: type, skip: str, skip_class: type) -> None:
    net = small(2, block=block, skip=skip)
    assert {type(m) for m in (*net.encoder, net.bottom, *net.decoder)} == {block_class}
    assert {type(m) for m in net.skips} == {skip_class}
    if skip == "respath":
        assert [len(path) for path in net.skips if isinstance(path, ResPath)] == [3, 2, 1]  # longest outermost
    assert net(torch.rand(2, 1, 16, 16)).shape == (2, 2, 16, 16)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_3d_net_equals_the_2d_net_on_a_volume_constant_along_one_axis(axis: int) -> None:
    flat, deep = small(2).double().eval(), small(3).double().eval()
    state = {}
    for name, value in flat.state_dict().items():
        if value.ndim == 4:  # 3×3: zeros beside the centre plane; up-convolutions fill both of their planes
            planes = {1: [1], 2: [1, 1], 3: [0, 1, 0]}[value.shape[-1]]
            value = torch.stack([p * value for p in planes], dim=axis + 2)
        state[name] = value
    deep.load_state_dict(state)
    image = torch.randn(1, 1, 11, 6, dtype=torch.float64)
    logits = deep(torch.stack([image] * 5, dim=axis + 2))
    expected = torch.stack([flat(image)] * 5, dim=axis + 2)
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-10)  # float64 sums in another order, values near 1


@pytest.mark.parametrize("size", [(13, 10), (16, 5, 9)])
def test_deep_supervision_adds_halved_logits_and_leaves_the_first_as_it_is(size: tuple[int, ...]) -> None:
    deep, alone = small(len(size), deep_supervision=2).eval(), small(len(size)).eval()
    alone.load_state_dict({k: v for k, v in deep.state_dict().items() if "heads" not in k}, strict=False)
    alone.heads[0].load_state_dict(deep.heads[0].state_dict())
    x = torch.randn(1, 1, *size)
    logits = deep(x)
    # A voxel at the border of an odd size is half of one that the next level sees whole: sizes round up.
    assert [y.shape[2:] for y in logits] == [tuple(-(-s // k) for s in size) for k in (1, 2, 4)]
    assert torch.equal(logits[0], alone(x))


def test_gradients_are_those_of_finite_differences() -> None:
    net = recomputed(small(2, filters=(4, 8), norm="instance")).double()
    x = torch.randn(1, 1, 5, 6, dtype=torch.float64, requires_grad=True)
    # gradcheck moves the weights in place; fast_mode takes one random projection of the Jacobian, not each column.
    assert torch.autograd.gradcheck(lambda x, *_: net(x), (x, *net.parameters()), fast_mode=True)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"block": "res"}, "multires.*plain.*'res'"),
        ({"skip": "add"}, "respath.*plain.*'add'"),
        ({"deep_supervision": 3}, "from 0 to 2, got 3"),  # four levels, of which the lowest decodes nothing
        ({"deep_supervision": -1}, "from 0 to 2, got -1"),
    ],
)
def test_what_cannot_be_built_is_refused_by_name(parts: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small(2, **parts)


@pytest.mark.parametrize("size", [(16, 16), (8, 8, 8)])
def test_thirty_steps_on_one_case_learn_it_by_heart(size: tuple[int, ...]) -> None:
    net = MultiResUNet(len(size), 1, 1, filters=(4, 8, 16))
    label = F.pad(torch.ones(1, 1, *[5] * len(size)), [2, size[0] - 7] * len(size))
    image = label + 0.5 * torch.randn_like(label)
    optimizer, dice, losses = torch.optim.Adam(net.parameters(), lr=0.05), DiceLoss(sigmoid=True), []
    for _ in range(30):
        optimizer.zero_grad()
        losses.append(dice(net(image), label))
        losses[-1].backward()
        optimizer.step()
    assert losses[0] > 0.5
    assert losses[-1] < 0.01  # reached 0.0001 when written


def test_the_finest_head_of_deep_supervision_is_the_head_of_the_net_without_it() -> None:
    """Equal filters on all levels let any head fit, so that only its place can tell which one it is."""
    parts: dict[str, Any] = {"filters": (4, 4, 4, 4), "block": "plain", "skip": "plain"}
    deep, plain = MultiResUNet(2, 1, 2, deep_supervision=2, **parts).eval(), MultiResUNet(2, 1, 2, **parts).eval()
    plain.load_state_dict(deep.state_dict(), strict=False)
    image = torch.rand(1, 1, 16, 16)
    torch.testing.assert_close(plain(image), deep(image)[0], rtol=0, atol=0)
