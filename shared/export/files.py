"""From a form to a checked ONNX file that says what it is, held against torch."""

import contextlib
import io
import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor

from shared.detection.boxes import intersection_over_union
from shared.engine.forms import Form
from shared.errors import InputError
from shared.files import write_atomically


class Row(TypedDict):
    """Of the table that compares an export with torch: the sizes of the inputs, and how far the outputs are off."""

    input: str
    difference: float


OPSET = 20  # the first in which GridSample takes volumes
AXES = ("rows", "columns", "slices")
# How far from torch an output may be, in shares of its channel's largest value (see `_off`): float32 sums thousands of
# products in another order; float16 has 11 bits, and layers add up.
TOLERANCE = {"fp32": 1e-3, "fp16": 5e-2}


def write_onnx(
    form: Form,
    examples: Sequence[tuple[Tensor, ...]],
    path: str | Path,
    *,
    precision: str,
    properties: Mapping[str, str],
) -> list[Row]:
    """Write `form` to `path`, and give a row for each of `examples`: shapes, and how far onnxruntime is from torch.

    examples: inputs of two sizes and batches or more, the first with a batch of two, as torch takes a size of 1 for a
    constant. precision: "fp32", or "fp16", which changes `form`. properties: what the file says of itself.
    Raises InputError where the difference is above TOLERANCE; then no file is left.
    """
    form.eval()
    with torch.no_grad():
        expected = [_outputs(form, example) for example in examples]
    exported = form.in_half().eval() if precision == "fp16" else form
    rows: list[Row] = []

    def write(temporary: Path) -> None:
        _export(exported, examples[0], temporary)
        _describe(temporary, {"precision": precision, **properties})
        session = onnxruntime.InferenceSession(temporary, providers=["CPUExecutionProvider"])
        for example, wanted in zip(examples, expected):
            actual = session.run(list(form.outputs), {k: x.numpy() for k, x in zip(form.inputs, example)})
            difference = compare(form.outputs, wanted, actual)
            rows.append({"input": ", ".join(" × ".join(map(str, x.shape)) for x in example), "difference": difference})
        worst = max(row["difference"] for row in rows)
        if not worst <= TOLERANCE[precision]:
            raise InputError(
                path, expected=f"outputs within {TOLERANCE[precision]:g} of torch's", got=f"{worst:.3g}",
                fix="export it as fp32" if precision == "fp16" else "report this, with the versions of torch and onnx",
            )  # fmt: skip

    write_atomically(path, write)
    return rows


def compare(names: Sequence[str], expected: Sequence[np.ndarray], actual: Sequence[np.ndarray]) -> float:
    """How far `given` is from `expected`, outputs called `names`, batch first: 0 is the same.

    Arrays: the largest difference in shares of their channel's largest value, or of a half where that is larger.
    Detections, which come in any order where scores are alike: the largest 1 - IoU or difference of scores between
    those half as sure as the surest, or more, and the best of their class among the others, both ways; of their masks,
    where there are any, the mean difference.
    """
    if "boxes" not in names:
        return max(_off(a, b) for a, b in zip(expected, actual))
    ours, theirs = (dict(zip(names, values)) for values in (expected, actual))
    return max(_lost(a, b, index) for a, b in ((ours, theirs), (theirs, ours)) for index in range(len(ours["boxes"])))


def _off(expected: np.ndarray, actual: np.ndarray) -> float:
    inner = tuple(axis for axis in range(expected.ndim) if axis != 1)
    largest = np.abs(expected).max(axis=inner, keepdims=True)
    return float((np.abs(actual - expected) / np.maximum(largest, 0.5)).max())


def _lost(found: Mapping[str, np.ndarray], others: Mapping[str, np.ndarray], index: int) -> float:
    boxes, scores, labels = (torch.as_tensor(found[name][index]) for name in ("boxes", "scores", "labels"))
    more, likely, kinds = (torch.as_tensor(others[name][index]) for name in ("boxes", "scores", "labels"))
    alike = intersection_over_union(boxes[:, None], more) * (labels[:, None] == kinds)
    overlap, partner = alike.max(dim=1)
    low, high = boxes.chunk(2, dim=1)
    sure = (scores > 0) & (scores >= scores.max() / 2)
    counted = sure & (high - low > 0).all(dim=1)  # a box of no size overlaps nothing, not even itself
    off = torch.maximum(1 - overlap, (scores - likely[partner]).abs())
    if "masks" in found:
        masks, theirs = (torch.as_tensor(side["masks"][index]) for side in (found, others))
        off = torch.maximum(off, (masks - theirs[partner]).abs().flatten(1).mean(dim=1))
    return float(off[counted].max()) if counted.any() else 0.0


def _outputs(form: Form, example: tuple[Tensor, ...]) -> list[np.ndarray]:
    out = form(*example)
    return [x.numpy() for x in ((out,) if isinstance(out, Tensor) else out)]


def _export(form: Form, example: tuple[Tensor, ...], path: Path) -> None:
    axes = tuple({axis: torch.export.Dim.AUTO for axis in range(x.ndim) if axis != 1} for x in example)
    for name in ("torch.onnx", "torch.utils._sympy.interp"):  # the one misses torchvision, the other divides by sizes
        logging.getLogger(name).setLevel(logging.ERROR)
    with contextlib.redirect_stdout(io.StringIO()):
        torch.onnx.export(
            form, example, str(path), input_names=list(form.inputs), output_names=list(form.outputs),
            opset_version=OPSET, dynamo=True, dynamic_shapes=axes, external_data=False, verbose=False,
            custom_translation_table=form.translations,
        )  # fmt: skip


def _describe(path: Path, properties: Mapping[str, str]) -> None:
    """Give the axes names that mean something, and the file its properties."""
    model = onnx.load(path)
    names: dict[str, str] = {}
    for entry in model.graph.input:
        batch, _, *sides = entry.type.tensor_type.shape.dim
        names |= {dim.dim_param: name for dim, name in zip([batch, *sides], ("batch", *AXES)) if dim.dim_param}
    for value in [*model.graph.input, *model.graph.output, *model.graph.value_info]:
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param:
                dim.dim_param = re.sub(r"\w+", lambda word: names.get(word[0], word[0]), dim.dim_param)
    onnx.helper.set_model_props(model, dict(properties))
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def example_images(channels: int, sizes: Sequence[Sequence[int]]) -> list[Tensor]:
    """Images (batch, channels, *S) of discs on noise, for each (batch, *S) of `sizes`: networks find things in them."""
    generator = torch.Generator().manual_seed(0)
    images = []
    for batch, *sides in sizes:
        image = 0.1 * torch.rand(batch, channels, *sides, generator=generator)
        places = torch.stack(torch.meshgrid(*(torch.arange(s) for s in sides), indexing="ij"))
        for each in image.flatten(0, 1) if channels == 2 else image:  # two channels are two images, a pair's
            for _ in range(12):
                middle = torch.rand(len(sides), generator=generator) * torch.tensor(sides)
                radius = min(sides) * (0.05 + 0.1 * torch.rand((), generator=generator))
                away = (places - middle.reshape(-1, *[1] * len(sides))).square().sum(dim=0).sqrt() - radius
                each += 0.8 * torch.sigmoid(-away)
        images.append(image.clamp(0, 1))
    return images
