"""What of a network is exported does what the network does."""

from pathlib import Path

import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from shared.detection.static import suppress_fixed
from shared.engine.forms import Form
from shared.errors import InputError
from shared.export.files import Row, example_images, write_onnx
from shared.nets.voxelmorph import VoxelMorph
from shared.spatial.warping import warp
from shared.tasks.detection.inferer import Suppressd
from shared.tasks.detection.onnx_forms import Suppressed
from shared.tasks.instances.suppression import TRANSLATIONS, suppress_by_op
from shared.tasks.registration.onnx_forms import Moved, Warp


@pytest.fixture(autouse=True)
def _same_numbers_each_time() -> None:
    torch.manual_seed(0)


class Found(nn.Module):
    """A detector that has found something already."""

    def __init__(self, found: Tensor) -> None:
        super().__init__()
        self.register_buffer("found", found)

    def forward(self, image: Tensor) -> Tensor:
        found: Tensor = self.get_buffer("found")
        return found


def random_boxes(number: int, size: int) -> Tensor:
    low = size * torch.rand(number, 2)
    return torch.cat([low, low + 4 + size / 3 * torch.rand(number, 2)], dim=1)


def test_suppression_in_the_graph_keeps_what_postprocessing_keeps() -> None:
    """Boxes out of the image, objects of two classes and scores below the threshold among them."""
    boxes, scores = random_boxes(80, 60), torch.rand(80, 3) ** 3
    found = torch.cat([boxes, scores], dim=1).T[None]
    image = torch.rand(1, 1, 64, 48)
    limits = {"min_score": 0.1, "overlap": 0.4, "most": 150}
    rows = Suppressd("pred", **limits)({"image": image[0], "pred": found[0]})["pred"]  # type: ignore[arg-type]
    actual = Suppressed(Found(found), **limits)(image)  # type: ignore[arg-type]
    count = int(actual.number[0])
    assert 20 < count == len(rows) < 150
    torch.testing.assert_close(actual.boxes[0, :count], rows[:, :4])
    torch.testing.assert_close(actual.scores[0, :count], rows[:, 4])
    assert torch.equal(actual.labels[0, :count].float(), rows[:, 5])
    assert not any(values[0, count:].any() for values in actual[:3])


def test_the_operation_suppresses_as_plain_operations_do_and_onnxruntime_does() -> None:
    """Of two images, one with fewer boxes than are asked for, and some boxes that are none."""
    boxes = torch.stack([random_boxes(100, 80), random_boxes(100, 200)])
    scores = torch.randn(2, 100)
    scores[1, 30:] = -torch.inf
    kept, present = suppress_by_op(boxes, scores, overlap=0.3, most=40)
    expected, found_any = suppress_fixed(boxes, scores, overlap=0.3, most=40)
    assert torch.equal(present, found_any)
    assert torch.equal(kept, expected)
    assert 5 < int(present[1].sum()) < 31

    class Suppressing(nn.Module):
        def forward(self, boxes: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
            return suppress_by_op(boxes, scores, overlap=0.3, most=40)

    program = torch.onnx.export(
        Suppressing().eval(), (boxes, scores), dynamo=True, opset_version=20, verbose=False,
        custom_translation_table=TRANSLATIONS,
    )  # fmt: skip
    assert program is not None
    assert "NonMaxSuppression" in {node.op_type for node in program.model_proto.graph.node}
    session = onnxruntime.InferenceSession(program.model_proto.SerializeToString())
    actual = session.run(None, dict(zip([e.name for e in session.get_inputs()], (boxes.numpy(), scores.numpy()))))
    assert torch.equal(torch.as_tensor(actual[1]), found_any)
    assert torch.equal(torch.as_tensor(actual[0]), expected)


@pytest.mark.parametrize("gather", [False, True])
@pytest.mark.parametrize("dims", [2, 3])
def test_a_registration_with_its_warp_gives_the_field_and_the_moved_image(dims: int, gather: bool) -> None:
    network = VoxelMorph(dims, filters=(4, 4)).eval()
    nn.init.normal_(network.unet.heads.get_parameter("0.weight"), std=0.3)
    pair = torch.rand(2, 2, *(12, 10, 9)[:dims])
    with torch.no_grad():
        expected = network(pair)
        displacement, moved = Moved(network, gather=gather)(pair)
    assert expected.abs().max() > 0.5
    torch.testing.assert_close(displacement, expected, rtol=0, atol=1e-4)
    torch.testing.assert_close(moved, warp(pair[:, :1], displacement), rtol=0, atol=1e-4)
    assert network.warp is None  # the form changed a copy


def test_a_warp_alone_has_the_examples_that_it_needs_and_no_half_precision() -> None:
    form = Warp(nn.Identity())
    ((image, displacement),) = form.examples([torch.rand(2, 2, 8, 9)])
    assert (image.shape, displacement.shape) == ((2, 1, 8, 9), (2, 2, 8, 9))
    assert torch.equal(form(image, displacement), warp(image, displacement))
    with pytest.raises(InputError, match="--precision: expected fp32, got fp16"):
        form.in_half()
    assert not form.is_whole


class Sums(nn.Module):
    """Computes the one thing in torch, and another when exported, if asked to."""

    def __init__(self, honest: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3, padding=1)
        self.honest = honest

    def forward(self, image: Tensor) -> Tensor:
        out: Tensor = self.conv(image)
        return out if self.honest or not torch.compiler.is_exporting() else 1.1 * out


def written(network: nn.Module, path: Path, precision: str = "fp32") -> list[Row]:
    form = Form(network)
    examples = form.examples(example_images(1, [(2, 16, 24), (1, 13, 40)]))
    return write_onnx(form, examples, path, precision=precision, properties={"bundle": "sums"})


@pytest.mark.parametrize(("precision", "kind"), [("fp32", onnx.TensorProto.FLOAT), ("fp16", onnx.TensorProto.FLOAT16)])
def test_a_file_takes_any_batch_and_size_says_what_it_is_and_holds_its_precision(
    precision: str, kind: int, tmp_path: Path
) -> None:
    rows = written(Sums(), tmp_path / "sums.onnx", precision)
    assert [row["input"] for row in rows] == ["2 × 1 × 16 × 24", "1 × 1 × 13 × 40"]
    assert all(row["difference"] < {"fp32": 1e-5, "fp16": 1e-2}[precision] for row in rows)
    model = onnx.load(tmp_path / "sums.onnx")
    (entry,), (out,) = model.graph.input, model.graph.output
    shapes = [[d.dim_param or d.dim_value for d in x.type.tensor_type.shape.dim] for x in (entry, out)]
    assert shapes == [["batch", 1, "rows", "columns"], ["batch", 2, "rows", "columns"]]
    assert [x.type.tensor_type.elem_type for x in (entry, out)] == [onnx.TensorProto.FLOAT] * 2
    assert {x.data_type for x in model.graph.initializer if len(x.dims) == 4} == {kind}
    assert {x.key: x.value for x in model.metadata_props} == {"bundle": "sums", "precision": precision}
    assert model.opset_import[0].version >= 20


def test_a_file_that_computes_something_else_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"sums.onnx: expected outputs within 0.001 of torch's, got 0\.\d+"):
        written(Sums(honest=False), tmp_path / "sums.onnx")
    assert list(tmp_path.iterdir()) == []


def test_examples_of_two_channels_are_two_images() -> None:
    (pair,) = example_images(2, [(1, 40, 40)])
    (color,) = example_images(3, [(1, 40, 40)])
    assert pair.max() > 0.7
    assert (pair[0, 0] - pair[0, 1]).abs().max() > 0.5  # discs elsewhere
    assert (color[0, 0] - color[0, 1]).abs().max() < 0.2  # the same discs, with other noise
