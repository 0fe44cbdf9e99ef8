"""Triton's own definition of a model's config takes what docs/triton.md has for each kind of bundle."""

import re
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from tests.running import ROOT, script

PAGE = (ROOT / "docs" / "triton.md").read_text(encoding="utf-8")
CONFIGS = re.findall(r"^```\n(name: .*?)```", PAGE, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.client
def test_the_definition_of_tritons_client_takes_each_config_of_the_page() -> None:
    definition: Any = pytest.importorskip("tritonclient.grpc.model_config_pb2", reason="needs tritonclient[grpc]")
    from google.protobuf import text_format

    bundles = {path.name for path in (ROOT / "bundles").iterdir()}
    assert len(CONFIGS) == 5  # kinds
    for text in CONFIGS:
        config = text_format.Parse(text, definition.ModelConfig())  # raises for what it does not know
        assert config.name in bundles
        assert config.backend == "onnxruntime"
        assert config.max_batch_size > 1
        for value in [*config.input, *config.output]:
            # Triton refuses an empty shape, and adds the batch to these.
            assert value.data_type
            assert [dim > 0 or dim == -1 for dim in value.dims] == [True] * len(value.dims) != []


def test_a_number_an_image_gets_an_axis_of_its_own_from_triton() -> None:
    value = helper.make_tensor_value_info("number", TensorProto.INT64, ["batch"])
    graph = helper.make_graph([], "nothing", [value], [])
    model = onnx.helper.make_model(graph)
    helper.set_model_props(model, {"bundle": "one"})
    text = script("triton_config", "docs").config_of(model)
    assert "    dims: [ 1 ]\n    reshape { shape: [ ] }\n" in text
