"""Which ops of an ONNX file TensorRT, onnxruntime's GPU providers and OpenVINO take: nothing is run.

They are in the table support.json, whose columns say what each target is, and its sources where that is known from.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from onnx import GraphProto, ModelProto, NodeProto, TensorProto, defs, helper, inliner, numpy_helper, shape_inference

TABLE: dict[str, Any] = json.loads(Path(__file__).with_name("support.json").read_text(encoding="utf-8"))
TARGETS = tuple(TABLE["columns"])
DEFAULT_DOMAIN = ("", "ai.onnx")


class _Value(NamedTuple):
    """What a file holds on a tensor; `constant` is a TensorProto or plain numbers."""

    element: str = ""  # ONNX's name: FLOAT16
    rank: int | None = None
    constant: Any = None


_Known = Mapping[str, _Value]


def op_support(model: ModelProto) -> list[dict[str, Any]]:
    """Rows of a table: op, inputs (types and ranks seen), count, and a verdict for each of `TARGETS`.

    A verdict is "yes"; "yes: " and what else the target asks for, where the file does not say or nothing checks it;
    or "no", with the reason where the target knows the op: "no: only FLOAT". Local functions are inlined and subgraphs
    walked. An op in no table, and one of a domain other than ONNX's own, is "no" everywhere. Nodes of one op on which
    the verdicts differ are counted in rows of their own.
    """
    model = shape_inference.infer_shapes(inliner.inline_local_functions(model), data_prop=True)
    rows: dict[tuple[str, ...], dict[str, Any]] = {}
    for node, known in _nodes(model.graph, {}):
        op = node.op_type if node.domain in DEFAULT_DOMAIN else f"{node.domain}::{node.op_type}"
        value = known.get([*node.input, *node.output][TABLE["typed_by"].get(op, 0)], _Value())
        verdicts = _verdicts(op, node, value, known, _opset(model))
        row = rows.setdefault((op, *verdicts.values()), {"op": op, "inputs": set(), "count": 0, **verdicts})
        row["inputs"].add(f"{value.element or '?'} {'?' if value.rank is None else value.rank}-D")
        row["count"] += 1
    return [row | {"inputs": ", ".join(sorted(row["inputs"]))} for _, row in sorted(rows.items())]


def blockers(model: ModelProto) -> dict[str, list[str]]:
    """For each of `TARGETS`, what keeps it from running the whole file, opset or ops; nothing where it runs all."""
    rows, opset = op_support(model), _opset(model)
    found = {target: [row["op"] for row in rows if row[target].startswith("no")] for target in TARGETS}
    for target, column in TABLE["columns"].items():
        lowest, highest = column.get("opset", (opset, opset))
        if not lowest <= opset <= highest:
            found[target].insert(0, f"opset {opset} ({lowest}–{highest})")
    return {target: list(dict.fromkeys(reasons)) for target, reasons in found.items()}


def _opset(model: ModelProto) -> int:
    return max((entry.version for entry in model.opset_import if entry.domain in DEFAULT_DOMAIN), default=1)


def _nodes(graph: GraphProto, outer: _Known) -> Iterator[tuple[NodeProto, _Known]]:
    """The nodes of `graph` and of its subgraphs, each with the values that it sees."""
    known = dict(outer)
    for info in [*graph.input, *graph.value_info, *graph.output]:
        kind = info.type.tensor_type
        rank = len(kind.shape.dim) if kind.HasField("shape") else None
        known[info.name] = _Value(TensorProto.DataType.Name(kind.elem_type) if kind.elem_type else "", rank)
    for tensor in graph.initializer:
        known[tensor.name] = _Value(TensorProto.DataType.Name(tensor.data_type), len(tensor.dims), tensor)
    for node in graph.node:
        if node.op_type == "Constant":
            constant = helper.get_attribute_value(node.attribute[0])
            known[node.output[0]] = known.get(node.output[0], _Value())._replace(constant=constant)
        yield node, known
        for attribute in node.attribute:
            for subgraph in [attribute.g, *attribute.graphs]:
                yield from _nodes(subgraph, known)


def _verdicts(op: str, node: NodeProto, value: _Value, known: _Known, opset: int) -> dict[str, str]:
    verdicts: dict[str, str] = {}
    for target, column in TABLE["columns"].items():
        cell = TABLE["ops"].get(op, {}).get(column.get("like", target), {})
        read = value._replace(element=column.get("reads_as", {}).get(value.element, value.element))
        verdicts[target] = _verdict(cell, node, read, known, opset)
        behind = column.get("falls_back_to")
        if behind and verdicts[target].startswith("no") and verdicts[behind].startswith("yes"):
            verdicts[target] = f"yes: by {behind}"
    return verdicts


def _verdict(cell: dict[str, Any], node: NodeProto, value: _Value, known: _Known, opset: int) -> str:
    types = cell.get("types", "")
    if isinstance(types, dict):
        since = defs.get_schema(node.op_type, opset, "").since_version
        types = types[max((key for key in types if int(key) <= since), key=int, default=min(types, key=int))]
    if not types:
        return "no"
    attributes = {a.name: a.s.decode() or helper.get_attribute_value(a) for a in node.attribute}
    # What the target asks for, and whether it holds: None where the file does not say.
    asked: dict[str, bool | None] = {types.replace(" ", ", "): not value.element or value.element in types.split()}
    for name, allowed in cell.get("attributes", {}).items():
        asked[f"{name} {' or '.join(map(str, allowed))}"] = attributes.get(name, allowed[0]) in allowed
    if ranks := cell.get("ranks"):
        asked[f"{' or '.join(map(str, ranks))}-D"] = None if value.rank is None else value.rank in ranks
    if outputs := cell.get("outputs"):
        asked[f"{outputs} output"] = len([name for name in node.output if name]) <= outputs
    if index := cell.get("constant"):
        absent = len(node.input) <= index or not node.input[index]
        asked[f"input {index} constant"] = absent or known.get(node.input[index], _Value()).constant is not None or None
    if below := cell.get("below"):
        largest = _largest(known.get(node.input[below[0]], _Value()).constant)
        asked["input {} below {}".format(*below)] = None if largest is None else largest < below[1]
    if broken := [text for text, holds in asked.items() if holds is False]:
        return f"no: only {'; '.join(broken)}"
    unclear = [text for text, holds in asked.items() if holds is None] + [cell[key] for key in ("only",) if key in cell]
    return f"yes: {'; '.join(unclear)}" if unclear else "yes"


def _largest(constant: Any) -> float | None:
    if isinstance(constant, TensorProto):
        constant = numpy_helper.to_array(constant).ravel().tolist()
    return None if constant is None else max(constant if isinstance(constant, list) else [constant])
