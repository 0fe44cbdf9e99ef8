"""Every bundle gives in onnxruntime what it gives in torch, file by file."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from monai.bundle import ckpt_export, load
from PIL import Image

from shared.errors import InputError
from shared.export.command import main
from shared.export.sessions import CPU
from shared.export.support import blockers
from shared.files import read_table
from tests.running import ROOT, assert_same_results, refused_here, run_here, script
from tests.test_bundles import EXPORTED_BY_US, each_by_us, each_exported

NEEDS_OPENVINO = pytest.mark.skipif(not find_spec("openvino"), reason="openvino is an extra dependency, not installed")

# float32 sums in another order: of a map some pixels at a border change sides.
SHARE, DIFFERENCE = 1e-3, 2e-2  # of pixels; of numbers, boxes in pixels among them


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """Gives a bundle's ONNX file, exported by the command when first asked for."""

    @cache
    def export(bundle: Path) -> Path:
        file = tmp_path_factory.mktemp(bundle.name) / "model.onnx"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.argv", ["export_onnx.py", bundle.name, "--output", str(file)])
            main()
        return file

    return export


@pytest.mark.parametrize("runtime", ["onnx", pytest.param("openvino", marks=NEEDS_OPENVINO)])
@each_by_us
def test_results_are_those_of_torch(
    bundle: Path, runtime: str, exported: Callable[[Path], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = exported(bundle)
    model = onnx.load(file)
    if runtime == "openvino" and blockers(model)["openvino"]:
        line = refused_here(bundle, tmp_path, runtime=runtime, onnx=str(file))
        assert line == "--runtime: expected a network whose ops OpenVINO has, got GridSample; choose onnx or torch"
        return
    options: dict[str, Any] = {}
    config = json.loads((bundle / "configs" / "inference.json").read_text(encoding="utf-8"))
    if "bfloat16" in config:
        options["bfloat16"] = False  # the file is in float32
    if config.get("refine_steps", 0) is None:
        options["refine_steps"] = 0  # which are taken in torch alone
    ours = run_here(bundle, tmp_path / "torch", **options)
    optimises = "warp" in {entry.value for entry in model.metadata_props if entry.key == "form"}
    files = {} if optimises else {"onnx": str(file), "engine_cache": str(tmp_path)}
    theirs = run_here(bundle, tmp_path / "onnx", runtime=runtime, **files, **options)
    printed = capsys.readouterr().out
    where = {"onnx": f"{file} on {CPU}", "openvino": f"{file} on the processor"}[runtime]
    assert ("so it runs in torch" if optimises else where) in printed
    names = [
        sorted(path.relative_to(folder).as_posix() for path in folder.rglob("[!.]*.*")) for folder in (ours, theirs)
    ]
    assert names[0] == names[1]
    for name in names[0]:
        if not name.startswith("overlays/") and not name.endswith("figure.png"):
            assert_alike(content(ours / name), content(theirs / name), name)


@pytest.mark.parametrize("name", sorted(EXPORTED_BY_US))
def test_without_torch_the_files_are_those_of_onnxruntime(
    name: str, exported: Callable[[Path], Path], tmp_path: Path
) -> None:
    original = ROOT / "bundles" / name
    file = exported(original)
    expected = run_here(original, tmp_path / "torch", runtime="onnx", onnx=str(file))
    bundle = tmp_path / name
    shutil.copytree(original, bundle, ignore=shutil.ignore_patterns("*.onnx"))
    shutil.copy(file, bundle / "models" / "model.onnx")
    code = "from shared.run_onnx import main; main(); import sys; assert not {'torch', 'monai'} & sys.modules.keys()"
    places = (bundle, bundle / "sample_data", "--output_dir", tmp_path / "plain")
    command = [sys.executable, "-c", code, *map(str, places)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "4 of 4 cases done" in done.stdout
    assert_same_results(expected, tmp_path / "plain")


@each_by_us
def test_tritons_config_has_the_names_and_sizes_of_the_file(bundle: Path, exported: Callable[[Path], Path]) -> None:
    text = script("triton_config", "docs").config_of(onnx.load(exported(bundle)))
    session = onnxruntime.InferenceSession(exported(bundle), providers=["CPUExecutionProvider"])
    expected = []
    for value in [*session.get_inputs(), *session.get_outputs()]:
        batch, *sizes = value.shape
        assert batch == "batch"
        expected.append((value.name, [-1 if isinstance(size, str) else size for size in sizes] or [1]))
    entries = re.findall(r'^    name: "(.+)"\n.+\n    dims: \[ (.+) \]$', text, flags=re.MULTILINE)
    assert [(name, [int(size) for size in sizes.split(", ")]) for name, sizes in entries] == expected
    page = (ROOT / "docs" / "triton.md").read_text(encoding="utf-8")
    assert f'name: "{bundle.name}"\nbackend' not in page or f"```\n{text}```" in page


def test_a_path_that_the_system_refuses_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["export_onnx.py", "x" * 300])
    with pytest.raises(
        InputError,
        match=r"x/configs/inference\.json: expected files that can be read [^\n]+, got File name too long; check",
    ):
        main()


def content(path: Path) -> Any:
    if path.suffix == ".json":
        return json.loads(path.read_text(encoding="utf-8"))
    if path.suffix == ".csv":
        return [{k: number(v) for k, v in row.items() if "seconds" not in k} for row in read_table(path)]
    return np.asarray(Image.open(path) if path.suffix == ".png" else nib.Nifti1Image.from_filename(path).dataobj)


def number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def assert_alike(ours: Any, theirs: Any, where: str) -> None:
    if isinstance(ours, np.ndarray):
        assert ours.shape == theirs.shape, where
        if ours.dtype.kind in "ui":
            assert (ours != theirs).mean() <= SHARE, where
        else:
            np.testing.assert_allclose(theirs, ours, rtol=0, atol=DIFFERENCE * np.abs(ours).max(), err_msg=where)
    elif isinstance(ours, Mapping):
        assert ours.keys() == theirs.keys(), where
        for key in ours:
            assert_alike(ours[key], theirs[key], f"{where}: {key}")
    elif isinstance(ours, list):
        assert len(ours) == len(theirs), where
        for index, (a, b) in enumerate(zip(ours, theirs)):
            assert_alike(a, b, f"{where}[{index}]")
    elif isinstance(ours, float):
        assert theirs == pytest.approx(ours, rel=DIFFERENCE, abs=DIFFERENCE), where
    else:
        assert ours == theirs, where


@each_exported
def test_monai_exports_a_checkpoint_to_torchscript(bundle: Path, tmp_path: Path) -> None:
    """By tracing, of which the result holds at other sizes; scripting wants types that Python's own code has not."""
    ckpt_export(
        "network_def", filepath=str(tmp_path / "model.ts"), ckpt_file=str(bundle / "models" / "model.pt"),
        meta_file=str(bundle / "configs" / "metadata.json"), config_file=str(bundle / "configs" / "inference.json"),
        bundle_root=str(bundle), use_trace=True,
    )  # fmt: skip
    network = torch.jit.load(tmp_path / "model.ts")
    shape = json.loads((bundle / "configs" / "metadata.json").read_text(encoding="utf-8"))
    entry, out = (shape["network_data_format"][side] for side in ("inputs", "outputs"))
    image = torch.rand(1, entry["image"]["num_channels"], *entry["image"]["spatial_shape"])
    assert network(image).shape[1] == out["pred"]["num_channels"]
    original: Any = load(bundle.name, bundle_dir=bundle.parent, device="cpu", workflow_type="inference")
    original.eval()
    other = torch.rand(2, image.shape[1], *(33 + 4 * axis for axis in range(image.ndim - 2)))
    with torch.no_grad():
        torch.testing.assert_close(network(other), original(other), rtol=1e-4, atol=1e-4)
