"""8 bits: convolutions alone, close to float32, on what the network is shown."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from monai.inferers import SlidingWindowInferer
from torch import Tensor, nn

from shared.engine.forms import Form
from shared.export.files import example_images, write_onnx
from shared.export.quantising import quantise, shown_images


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 2, 3, padding=1)).eval()


def test_convolutions_take_integers_and_the_result_is_off_by_steps_of_8_bits(tmp_path: Path) -> None:
    images = example_images(1, [(2, 40, 48), (1, 32, 36)])
    form = Form(network())
    write_onnx(form, form.examples(images), tmp_path / "a.onnx", precision="fp32", properties={"bundle": "spot"})
    quantise(tmp_path / "a.onnx", tmp_path / "b.onnx", [image.numpy() for image in images])
    model = onnx.load(tmp_path / "b.onnx")
    assert {x.key: x.value for x in model.metadata_props} == {"bundle": "spot", "precision": "int8"}
    made_by = {output: node.op_type for node in model.graph.node for output in node.output}
    inputs = [made_by[name] for node in model.graph.node if node.op_type == "Conv" for name in node.input[:2]]
    assert inputs == ["DequantizeLinear"] * 4
    eight, full = (onnxruntime.InferenceSession(tmp_path / f"{name}.onnx") for name in "ba")
    (actual,), (expected,) = (session.run(None, {"image": images[1].numpy()}) for session in (eight, full))
    off = np.abs(actual - expected).max() / np.abs(expected).max()
    assert 0 < off < 0.03  # two layers of 128 steps each; 0.084 without VNNI where sums of two products saturate


def test_what_is_recorded_is_what_the_inferer_shows(tmp_path: Path) -> None:
    images = [torch.rand(1, 20, 20), torch.rand(1, 20, 20), torch.rand(1, 20, 20)]
    shown = shown_images(network(), SlidingWindowInferer((10, 20), overlap=0), images, most=3)
    expected: list[Tensor] = [images[0][None, :, :10], images[0][None, :, 10:], images[1][None, :, :10]]
    assert all(np.array_equal(a, b) for a, b in zip(shown, expected))
    assert len(shown) == 3
