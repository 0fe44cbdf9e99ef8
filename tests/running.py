"""How tests run a bundle within their own process, a script that is no part of a package, and an exported network."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnxruntime
import torch
from monai.bundle import create_workflow
from torch import nn

ROOT = Path(__file__).parents[1]


def run_here(bundle: Path, output_dir: Path, config: str = "inference", **options: Any) -> Path:
    """Run a bundle's config on the CPU, in this process, which spares the seconds of importing; gives `output_dir`."""
    workflow = create_workflow(
        config_file=str(bundle / "configs" / f"{config}.json"),
        workflow_type="train" if config == "train" else "infer",
        output_dir=str(output_dir),
        device="cpu",
        **{name: str(value) if isinstance(value, Path) else value for name, value in options.items()},
    )
    workflow.run()
    return output_dir


def script(name: str) -> ModuleType:
    """scripts/NAME.py as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def assert_onnxruntime_agrees(network: nn.Module, shape: Sequence[int], folder: Path, *, within: float) -> None:
    """That `network`, exported at the channels and size (C, *S), gives what torch gives, whatever the batch."""
    axes = {0: torch.export.Dim("batch", min=1, max=8)}
    torch.onnx.export(
        network, (torch.rand(2, *shape),), str(folder / "net.onnx"), input_names=["image"], opset_version=20,
        dynamo=True, dynamic_shapes=(axes,), verbose=False,
    )  # fmt: skip
    session = onnxruntime.InferenceSession(str(folder / "net.onnx"))
    for batch in (1, 3):
        image = torch.rand(batch, *shape)
        with torch.no_grad():
            expected = network(image).numpy()
        (given,) = session.run(None, {"image": image.numpy()})
        assert np.abs(expected).max() > 0.5  # it is about something
        np.testing.assert_allclose(given, expected, rtol=within, atol=within)
