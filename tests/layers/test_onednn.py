"""Convolutions by oneDNN are torch's own but for rounding, wherever they run."""

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.data import MetaTensor
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from shared.layers.onednn import OneDnnConv3d, convolve_by_onednn, takes_onednn
from shared.nets.unet import UNet
from shared.nets.voxelmorph import VoxelMorph

ONEDNN = torch.ops.aten.mkldnn_convolution.default


class Called(TorchDispatchMode):
    """The operations that torch is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[object] = []

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.operations.append(operation)
        return operation(*args, **kwargs or {})


def asks_onednn(module: nn.Module, x: Tensor) -> bool:
    with Called() as called:
        module(x)
    return ONEDNN in called.operations


def pair(**options: object) -> tuple[nn.Conv3d, nn.Conv3d]:
    """A convolution and the same by oneDNN."""
    torch.manual_seed(0)
    plain = nn.Conv3d(4, 6, **{"kernel_size": 3, "padding": 1} | options)  # type: ignore[arg-type]
    return plain, convolve_by_onednn(copy.deepcopy(plain))


@pytest.mark.parametrize(
    "options",
    [
        {}, {"kernel_size": 1, "padding": 0}, {"stride": 2}, {"dilation": 2, "padding": 2}, {"groups": 2},
        {"bias": False}, {"kernel_size": (3, 1, 5), "padding": (1, 0, 2), "stride": (1, 2, 1)},
    ],
)  # fmt: skip
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last_3d])
def test_values_and_gradients_are_those_of_torch(options: dict, layout: torch.memory_format) -> None:
    plain, ours = (conv.to(memory_format=layout) for conv in pair(**options))  # type: ignore[call-overload]
    x = torch.randn(1, 4, 5, 7, 9).contiguous(memory_format=layout)
    with torch.no_grad():
        assert asks_onednn(ours, x)
        assert not asks_onednn(plain, x)  # a batch of one, and small: its slow kernel
    outputs, gradients = [], []
    for conv in (plain, ours):
        image = x.clone().requires_grad_()
        outputs.append(conv(image))
        gradients.append(
            torch.autograd.grad((outputs[-1] * outputs[-1].detach().cos()).sum(), [image, *conv.parameters()])
        )
    # Sums of at most 300 products of numbers near 1 in another order: some 2^-24 of each. Gradients sum as many more.
    torch.testing.assert_close(outputs[1], outputs[0], rtol=1e-5, atol=1e-5)
    for got, expected in zip(gradients[1], gradients[0]):
        torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4)


def test_under_autocast_it_is_torch_bit_by_bit() -> None:
    plain, ours = pair()
    results = []
    for conv in (plain, ours):
        x = torch.ones(1, 4, 6, 6, 6).requires_grad_()
        with torch.autocast("cpu", torch.bfloat16):
            out = conv(x)
        assert out.dtype is torch.bfloat16
        results.append([out, *torch.autograd.grad(out.float().square().sum(), [x, *conv.parameters()])])
    assert all(torch.equal(got, expected) for got, expected in zip(*results))


@pytest.mark.parametrize("options", [{"padding": "same"}, {"padding_mode": "replicate"}])
def test_what_onednn_has_not_stays_with_torch(options: dict) -> None:
    plain, ours = pair(**options)
    x = torch.randn(1, 4, 5, 6, 7)
    assert not asks_onednn(ours, x)
    assert torch.equal(ours(x), plain(x))


def test_other_precisions_and_images_without_a_batch_stay_with_torch() -> None:
    _, ours = pair()
    assert not asks_onednn(ours, torch.randn(4, 5, 6, 7))
    assert not asks_onednn(ours.double(), torch.randn(1, 4, 5, 6, 7, dtype=torch.float64))


def test_exports_see_an_ordinary_convolution() -> None:
    _, ours = pair()
    x = torch.randn(1, 4, 5, 6, 7)
    exported = torch.export.export(ours, (x,))
    assert {str(node.target) for node in exported.graph.nodes if node.op == "call_function"} == {"aten.conv3d.default"}
    traced = torch.jit.trace(ours, x)
    assert "aten::_convolution" in str(traced.inlined_graph)
    assert "mkldnn" not in str(traced.inlined_graph)


def test_an_export_is_asked_for_before_anything_of_a_tensor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else torch 2.13 records the questions, and fails to export a 3D VoxelMorph of any size ("TraceError")."""
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    assert not takes_onednn(None)  # type: ignore[arg-type]


def test_switched_off_in_torch_it_is_switched_off_here() -> None:
    _, ours = pair()
    with torch.backends.mkldnn.flags(enabled=False):
        assert not asks_onednn(ours, torch.randn(1, 4, 5, 6, 7))


@pytest.mark.parametrize("network", [UNet(3, 1, 2, filters=[4, 8]), VoxelMorph(3, filters=[4, 8])])
def test_our_networks_convolve_volumes_by_it_monai_s_layers_too(network: nn.Module) -> None:
    kinds = {type(module) for module in network.modules() if isinstance(module, nn.Conv3d)}
    assert kinds == {OneDnnConv3d}


def test_a_network_keeps_its_names_and_is_copied_and_pickled(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Conv3d(1, 2, 3), nn.BatchNorm3d(2), nn.ConvTranspose3d(2, 1, 2), nn.Conv2d(1, 1, 1))
    names, weight = list(network.state_dict()), network.get_parameter("0.weight")
    assert convolve_by_onednn(network) is network
    assert list(network.state_dict()) == names
    assert network.get_parameter("0.weight") is weight
    assert [type(module) for module in network] == [OneDnnConv3d, nn.BatchNorm3d, nn.ConvTranspose3d, nn.Conv2d]
    for twin in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert type(twin[0]) is OneDnnConv3d
        assert torch.equal(twin.get_parameter("0.weight"), weight)


def test_metatensors_pass_as_through_torch() -> None:
    plain, ours = pair()
    x = MetaTensor(torch.randn(1, 4, 5, 6, 7), affine=torch.diag(torch.tensor([2.0, 2, 2, 1])))
    with torch.no_grad():
        expected, got = plain(x), ours(x)
    assert type(got) is type(expected)
    torch.testing.assert_close(got.as_tensor(), expected.as_tensor(), rtol=1e-5, atol=1e-5)
    assert torch.equal(got.affine, x.affine)


def test_processes_that_share_a_training_agree(tmp_path: Path) -> None:
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path / 'meeting'}", rank=0, world_size=1)
    try:
        plain, ours = pair()
        x, gradients = torch.randn(2, 4, 5, 6, 7), []
        for conv in (plain, ours):
            torch.nn.parallel.DistributedDataParallel(conv)(x).square().mean().backward()
            gradients.append(conv.weight.grad)
        torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-5, atol=1e-6)  # sums of 420 products near 0.01
    finally:
        torch.distributed.destroy_process_group()
