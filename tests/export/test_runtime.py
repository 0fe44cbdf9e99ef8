"""A network in onnxruntime stands in for the one in torch, with the file that belongs to its weights."""

import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from torch import nn

from shared.engine.forms import Form
from shared.errors import InputError
from shared.export.bundles import export_bundle
from shared.export.runtime import OnnxNetwork, OpenVINONetwork, in_runtime, usual_providers
from shared.export.sessions import CPU, ON_CUDA, compile_model
from shared.tasks.registration.inferer import RegistrationInferer
from shared.tasks.registration.losses import RegistrationLoss
from shared.tasks.registration.onnx_forms import Warp
from tests.export.test_support import grid_sample

FORMS = {"raw": Form}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """The parts of a bundle that an export looks at."""
    inputs = {"image": {"num_channels": 1, "spatial_shape": [12, 16]}}
    for name, content in {
        "metadata": {"version": "0.2.1", "network_data_format": {"inputs": inputs}},
        "inference": {"class_names": ["cell"], "preprocessing": {"transforms": [{"_target_": "ScaleIntensityd"}]}},
    }.items():  # fmt: skip
        (tmp_path / "spot" / "configs").mkdir(parents=True, exist_ok=True)
        (tmp_path / "spot" / "configs" / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    save(network(0), tmp_path / "spot" / "model.pt")
    return tmp_path / "spot"


def network(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Conv2d(1, 2, 3, padding=1)


def save(network: nn.Module, path: Path) -> None:
    torch.save(network.state_dict(), path)


def onnx_network(bundle: Path, **options: Any) -> OnnxNetwork:
    stand_in = in_runtime(network(1), "onnx", FORMS, bundle_root=bundle, **options)
    assert isinstance(stand_in, OnnxNetwork)
    return stand_in


def assert_gives(stand_in: OnnxNetwork, expected: nn.Module) -> None:
    image = torch.rand(1, 1, 9, 30)
    with torch.no_grad():
        torch.testing.assert_close(stand_in(image), expected(image), rtol=1e-4, atol=1e-5)


def test_the_first_run_exports_and_says_so_the_next_ones_use_the_file_until_the_weights_change(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in = onnx_network(bundle)
    stand_in.open(bundle / "model.pt")
    assert_gives(stand_in, network(0))
    assert "exporting it from model.pt" in capsys.readouterr().out
    stamp = (bundle / "model.onnx").stat().st_mtime_ns
    stand_in.open(bundle / "model.pt")
    assert capsys.readouterr().out == f"onnxruntime: {bundle / 'model.onnx'} on {CPU}\n"
    assert (bundle / "model.onnx").stat().st_mtime_ns == stamp
    save(network(2), bundle / "model.pt")
    stand_in.open(bundle / "model.pt")
    assert_gives(stand_in, network(2))
    properties = {entry.key: entry.value for entry in onnx.load(bundle / "model.onnx").metadata_props}
    assert (properties["bundle"], properties["version"], properties["form"]) == ("spot", "0.2.1", "raw")
    assert json.loads(properties["classes"]) == ["cell"]
    assert json.loads(properties["preprocessing"]) == [{"_target_": "ScaleIntensityd"}]


def test_a_named_file_is_used_and_must_be_there_and_of_these_weights(bundle: Path) -> None:
    named = bundle / "other.onnx"
    with pytest.raises(InputError, match=r"other.onnx: expected an ONNX file of .*model.pt, got none"):
        onnx_network(bundle, path=named).open(bundle / "model.pt")
    export_bundle(bundle, network(1), bundle / "model.pt", FORMS, named)
    stand_in = onnx_network(bundle, path=named)
    stand_in.open(bundle / "model.pt")
    assert_gives(stand_in, network(0))
    save(network(3), bundle / "model.pt")
    with pytest.raises(InputError, match="got one of other weights or settings"):
        stand_in.open(bundle / "model.pt")
    save(network(0), bundle / "model.pt")
    stand_in.open(bundle / "model.pt")
    other = nn.Conv2d(1, 2, 3, padding=2)  # the same weights fit it
    with pytest.raises(InputError, match="got one of other weights or settings"):
        OnnxNetwork(other, FORMS, Form, bundle_root=bundle, path=named).open(bundle / "model.pt")


@pytest.mark.parametrize("content", [b"", b"no protobuf at all"])
def test_a_file_that_is_no_onnx_is_told_of_in_a_line(content: bytes, bundle: Path) -> None:
    (bundle / "bad.onnx").write_bytes(content)
    with pytest.raises(InputError, match=r"bad\.onnx: expected") as raised:
        onnx_network(bundle, path=bundle / "bad.onnx").open(bundle / "model.pt")
    assert "\n" not in str(raised.value)


def test_missing_weights_and_unknown_runtimes_forms_and_providers_are_told_of(bundle: Path) -> None:
    with pytest.raises(InputError, match=r"no\.pt: expected a weight file"):
        onnx_network(bundle).open(bundle / "no.pt")
    with pytest.raises(InputError, match="--runtime: expected one of torch, onnx, openvino, auto, got tensorflow"):
        in_runtime(network(0), "tensorflow", FORMS, bundle_root=bundle)
    with pytest.raises(InputError, match="--form: expected one of raw, got cooked"):
        export_bundle(bundle, network(0), bundle / "model.pt", FORMS, bundle / "x.onnx", form="cooked")
    with pytest.raises(InputError, match="--precision: expected one of fp32, fp16, got fp8"):
        export_bundle(bundle, network(0), bundle / "model.pt", FORMS, bundle / "x.onnx", precision="fp8")
    with pytest.raises(InputError, match=r"--providers: expected some of .*CPUExecutionProvider, got QuantumProvider"):
        onnx_network(bundle, providers=["QuantumProvider"]).open(bundle / "model.pt")


def test_torch_is_what_runs_where_nothing_else_is_asked_for_or_possible(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = network(0)
    assert in_runtime(ours, "torch", FORMS, bundle_root=bundle) is ours
    for runtime in ("onnx", "openvino", "auto"):
        assert in_runtime(ours, runtime, {"warp": partial(Warp, gather=True)}, bundle_root=bundle) is ours
        assert f"runtime {runtime}: this optimises each pair by gradients" in capsys.readouterr().out


def test_openvino_gives_what_torch_gives(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("openvino", reason="an extra dependency: pip install .[openvino]")
    stand_in = in_runtime(network(1), "openvino", FORMS, bundle_root=bundle, engine_cache=bundle / "engines")
    assert isinstance(stand_in, OpenVINONetwork)
    stand_in.open(bundle / "model.pt")
    assert_gives(stand_in, network(0))
    image = torch.rand(2, 1, 16, 8)
    with torch.no_grad():
        first, second = stand_in(image), stand_in(image + 1)
        torch.testing.assert_close(first, network(0)(image), rtol=1e-4, atol=1e-5)  # not overwritten by the second
        torch.testing.assert_close(second, network(0)(image + 1), rtol=1e-4, atol=1e-5)
    assert f"OpenVINO: {bundle / 'model.onnx'} on the processor" in capsys.readouterr().out


def test_an_op_that_openvino_lacks_is_named_in_a_line(tmp_path: Path) -> None:
    pytest.importorskip("openvino", reason="an extra dependency: pip install .[openvino]")
    onnx.save(grid_sample(5), tmp_path / "a.onnx")
    with pytest.raises(InputError, match="expected a network whose ops OpenVINO has, got GridSample; choose onnx"):
        compile_model(tmp_path / "a.onnx", threads=1, engine_cache=tmp_path)


def test_without_openvino_its_runtime_is_refused_with_the_fix(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(InputError, match=r"--runtime: expected OpenVINO to be installed, got .*pip install openvino"):
        compile_model(tmp_path / "a.onnx", threads=1, engine_cache=tmp_path)


def test_a_device_has_the_providers_that_are_there_the_fastest_first(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A build for GPUs names its providers on machines that have none, and then falls back with a page of errors."""
    assert usual_providers(torch.device("cpu")) == [CPU]
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: [*ON_CUDA, "AzureExecutionProvider", CPU])
    assert usual_providers(torch.device("cuda")) == ["TensorrtExecutionProvider", "CUDAExecutionProvider", CPU]
    export_bundle(bundle, network(0), bundle / "model.pt", FORMS, bundle / "model.onnx")
    capfd.readouterr()
    stand_in = onnx_network(bundle, device="cuda")
    stand_in.open(bundle / "model.pt")
    assert stand_in.session.get_providers() == [CPU]
    printed = capfd.readouterr()
    reported = (
        f"onnxruntime: {bundle / 'model.onnx'} on {CPU} (not TensorrtExecutionProvider) (not CUDAExecutionProvider)\n"
    )
    assert (printed.out, printed.err) == (reported, "")


def test_refining_is_refused_where_there_are_no_gradients() -> None:
    inferer = RegistrationInferer(RegistrationLoss(lambda a, b: (a - b).abs().mean()), refine_steps=3)
    with pytest.raises(InputError, match="refine with --runtime torch"):
        inferer(torch.rand(1, 2, 8, 8), network(0))
