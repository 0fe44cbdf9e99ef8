"""What the table of supported ops says of small hand-made models."""

from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import ModelProto, TensorProto, helper, parser

from shared.export import support
from shared.export.support import TABLE, TARGETS, blockers, op_support

ONNXRUNTIME = ("cuda", "tensorrt_provider")
TENSORRT = ("tensorrt10", "tensorrt11")


def model(body: str, opset: int = 20, functions: str = "", **constants: list[int]) -> ModelProto:
    """A model of one graph in ONNX's text form; `constants` become int64 initializers."""
    header = f'<ir_version: 10, opset_import: ["" : {opset}, "local" : 1, "vendor" : 1]>\n'
    made = parser.parse_model(header + body + functions)
    made.graph.initializer.extend(
        helper.make_tensor(name, TensorProto.INT64, [len(values)], values) for name, values in constants.items()
    )
    return made


def row(made: ModelProto, op: str) -> dict[str, Any]:
    """The one row of `op`."""
    (found,) = [row for row in op_support(made) if row["op"] == op]
    return found


def grid_sample(rank: int, element: str = "float", mode: str = "linear") -> ModelProto:
    size = ", ".join(["8"] * (rank - 2))
    return model(
        f"warp ({element}[1, 1, {size}] image, {element}[1, {size}, {rank - 2}] grid) => ({element}[1, 1, {size}] y)"
        f' {{ y = GridSample<mode = "{mode}">(image, grid) }}'
    )


def top_k(k: int | None) -> ModelProto:
    """TopK of 5,000 scores; without `k` it is an input of the graph."""
    constant = "" if k is None else f"k = Constant<value_ints = [{k}]>() "
    inputs = "float[1, 5000] x" + (", int64[1] k" if k is None else "")
    return model(f"top ({inputs}) => (float[1, n] y, int64[1, n] i) {{ {constant} y, i = TopK(x, k) }}")


CONV_NET = """net (float[n, 1, 16, 16, 16] x, float[4, 1, 3, 3, 3] w) => (float[n, 4, d, h, v] y) {
    a = Conv<pads = [1, 1, 1, 1, 1, 1]>(x, w)  b = Relu(a)  c = Conv<pads = [1, 1, 1, 1, 1, 1]>(x, w)  e = Relu(c)
    s = Add(b, e)  y = MaxPool<kernel_shape = [2, 2, 2], strides = [2, 2, 2]>(s) }"""


def test_a_convolutional_net_is_supported_everywhere_and_its_ops_are_counted() -> None:
    rows = op_support(model(CONV_NET))
    assert [(row["op"], row["inputs"], row["count"]) for row in rows] == [
        ("Add", "FLOAT 5-D", 1),
        ("Conv", "FLOAT 5-D", 2),
        ("MaxPool", "FLOAT 5-D", 1),
        ("Relu", "FLOAT 5-D", 2),
    ]
    assert {row[target] for row in rows for target in TARGETS} == {"yes"}
    assert blockers(model(CONV_NET)) == {target: [] for target in TARGETS}


def test_a_warp_of_volumes_runs_everywhere_but_in_tensorrt_10_and_openvino() -> None:
    volume, image = row(grid_sample(5), "GridSample"), row(grid_sample(4), "GridSample")
    assert volume["tensorrt10"] == "no: only 4-D"
    assert image["tensorrt10"] == volume["tensorrt11"] == image["tensorrt11"] == "yes"
    assert volume["cuda"].startswith("yes")
    assert volume["tensorrt_provider"] == "yes: by cuda"
    assert blockers(grid_sample(5)) == {
        target: ["GridSample"] if target in ("tensorrt10", "openvino") else [] for target in TARGETS
    }
    assert volume["openvino"] == "no: only 4-D"
    assert image["openvino"] == "yes"


def test_a_warp_in_float16_is_tensorrts_alone() -> None:
    found = row(grid_sample(4, "float16"), "GridSample")
    assert found["cuda"] == "no: only FLOAT"
    assert found["tensorrt10"] == found["tensorrt_provider"] == "yes"
    # Neither takes this one: nothing is behind the TensorRT provider but the CPU.
    assert row(grid_sample(5, "float16"), "GridSample")["tensorrt_provider"] == "no: only 4-D"


def test_a_rank_that_the_file_does_not_tell_is_asked_for() -> None:
    made = grid_sample(5)
    for info in [*made.graph.input, *made.graph.output]:
        info.type.tensor_type.ClearField("shape")
    assert row(made, "GridSample")["tensorrt10"] == "yes: 4-D"
    assert row(made, "GridSample")["inputs"] == "FLOAT ?-D"


def test_nodes_of_one_op_with_other_verdicts_have_a_row_of_their_own() -> None:
    made = model("add (float[2] x, int64[2] i, int16[2] s) => (float[2] a, int64[2] b, int16[2] c)"
                 "{ a = Add(x, x) b = Add(i, i) c = Add(s, s) }")  # fmt: skip
    both, short = [found for found in op_support(made) if found["op"] == "Add"][::-1]
    assert (both["inputs"], both["count"], both["tensorrt10"]) == ("FLOAT 1-D, INT64 1-D", 2, "yes")
    assert (short["inputs"], short["count"], short["cuda"]) == ("INT16 1-D", 1, "yes")
    assert short["tensorrt10"].startswith("no: only FLOAT")


@pytest.mark.parametrize("call", ["Smile", "vendor.Conv"])
def test_an_op_that_is_in_no_table_is_supported_nowhere(call: str) -> None:
    made = model(f"net (float[1] x) => (float[1] y) {{ a = Relu(x)  y = {call}(a) }}")
    name = call.replace(".", "::")
    assert {row(made, name)[target] for target in TARGETS} == {"no"}
    assert blockers(made) == {target: [name] for target in TARGETS}


IF = """net (bool flag, float[1, 2] x) => (float[1, 2] y) { y = If(flag) <
    then_branch = yes () => (float[1, 2] t) { t = %s(x) }, else_branch = no () => (float[1, 2] e) { e = Relu(x) } > }"""
FUNCTION = '\n<domain: "local", opset_import: ["" : 20]> Wrapped (a) => (b) { c = Neg(a)  b = Det(c) }'


def test_ops_of_subgraphs_and_of_local_functions_are_found_and_know_their_types() -> None:
    inner, function = (
        model(IF % "Det"),
        model("net (float[2, 2] x) => (float y) { y = local.Wrapped(x) }", 20, FUNCTION),
    )
    both = model(IF % "local.Wrapped", 20, FUNCTION)
    for made in (inner, function, both):
        assert row(made, "Det")["inputs"] == "FLOAT 2-D"
        assert blockers(made)["tensorrt10"] == ["Det"]
    assert row(both, "Neg")["count"] == 1
    assert not [found for found in op_support(both) if "::" in found["op"]]


@pytest.mark.parametrize(
    ("k", "verdict"), [(3839, "yes"), (3840, "no: only input 1 below 3840"), (None, "yes: input 1 below 3840")]
)
def test_tensorrt_limits_a_top_k_whose_k_is_constant(k: int | None, verdict: str) -> None:
    found = row(top_k(k), "TopK")
    assert {found[target] for target in TENSORRT} == {verdict}
    assert found["cuda"] == "yes"


def test_an_attribute_and_an_output_that_a_target_lacks_are_told() -> None:
    resize = 'net (float[1, 1, 4, 4] x, float[4] s) => (float[a, b, c, d] y) {{ y = Resize<mode = "{}">(x, , s) }}'
    assert row(model(resize.format("cubic")), "Resize")["tensorrt10"] == "no: only mode nearest or linear"
    assert row(model(resize.format("linear")), "Resize")["tensorrt10"].startswith("yes")
    pool = "net (float[1, 1, 4, 4] x) => (float[1, 1, 2, 2] y) { y, i = MaxPool<kernel_shape = [3, 3]>(x) }"
    assert row(model(pool), "MaxPool")["tensorrt11"] == "no: only 1 output"
    assert row(model(pool), "MaxPool")["cuda"] == "yes"


def test_axes_are_asked_for_as_constants_only_where_they_are_none() -> None:
    mean = "net (float[2, 3] x{}) => (float[a, b] y) {{ y = ReduceMean(x, axes) }}"
    assert row(model(mean.format(""), axes=[1]), "ReduceMean")["tensorrt10"] == "yes"
    assert row(model(mean.format(", int64[1] axes")), "ReduceMean")["tensorrt10"] == "yes: input 1 constant"
    without = model("net (float[2, 3] x) => (float[a, b] y) { y = ReduceMean(x) }")
    assert row(without, "ReduceMean")["tensorrt10"] == "yes"


def test_the_type_is_that_of_the_data_also_where_it_is_not_the_first_input() -> None:
    where = model("net (bool[2] c, float16[2] x) => (float16[2] y) { y = Where(c, x, x) }")
    assert row(where, "Where")["inputs"] == "FLOAT16 1-D"
    assert {row(where, "Where")[target] for target in (*TENSORRT, *ONNXRUNTIME)} == {"yes"}
    filled = model("net (int64[2] s) => (float[a, b] y) { y = ConstantOfShape(s) }")
    assert row(filled, "ConstantOfShape")["inputs"] == "FLOAT 2-D"


def test_int8_is_not_uint8() -> None:
    made = "net ({}[2] x) => (float[2] y) {{ y = Cast<to = 1>(x) }}"
    assert row(model(made.format("uint8")), "Cast")["tensorrt10"] == "yes"
    assert row(model(made.format("int8")), "Cast")["tensorrt10"].startswith("no: only FLOAT")


def test_tensorrt_reads_double_as_float() -> None:
    found = row(model("net (double[2] x) => (double[2] y) { y = Sigmoid(x) }"), "Sigmoid")
    assert [found[target] for target in TENSORRT] == ["yes"] * 2


@pytest.mark.parametrize(("opset", "cuda"), [(21, "yes"), (22, "no")])
def test_a_cuda_kernel_serves_the_versions_of_the_op_that_it_is_registered_for(opset: int, cuda: str) -> None:
    found = row(model(CONV_NET, opset), "MaxPool")
    assert found["cuda"] == cuda
    assert found["tensorrt10"] == found["tensorrt_provider"] == "yes"


def test_an_opset_that_tensorrt_does_not_read_blocks_the_file() -> None:
    found = blockers(model(CONV_NET, 25))
    assert [found[target] for target in TENSORRT] == [["opset 25 (9–24)"]] * 2
    assert found["tensorrt_provider"] == []


def test_every_op_has_every_column_in_words_that_the_check_knows() -> None:
    own = {name for name, column in TABLE["columns"].items() if "like" not in column}
    keys = {"types", "ranks", "outputs", "attributes", "constant", "below", "only"}
    for op, cells in TABLE["ops"].items():
        assert set(cells) == own, op
        for cell in cells.values():
            assert set(cell) <= keys, op
            types = cell["types"] if cell else ""
            for named in types.values() if isinstance(types, dict) else [types]:
                assert set(named.split()) <= set(TensorProto.DataType.keys()), op


def test_every_op_is_onnxs_and_what_is_said_of_its_attributes_and_inputs_exists() -> None:
    # Ops that ONNX dropped, or never had, and that the parsers still know.
    former = {"Affine", "Crop", "DynamicSlice", "ImageScaler", "ParametricSoftplus", "ScaledTanh"}
    schemas = {schema.name: schema for schema in onnx.defs.get_all_schemas() if not schema.domain}
    assert set(TABLE["ops"]) - set(schemas) == former | {"SimplifiedLayerNormalization"}
    for op, cells in TABLE["ops"].items():
        for cell in cells.values():
            assert set(cell.get("attributes", ())) <= set(schemas[op].attributes if op in schemas else ()), op
            assert max([cell.get("constant", 0), *cell.get("below", [0])[:1]]) < 1 + len(
                getattr(schemas.get(op), "inputs", "")
            ), op


def test_every_column_names_its_sources_and_every_source_is_a_columns() -> None:
    named = [source for column in TABLE["columns"].values() for source in column["sources"]]
    assert set(named) == set(TABLE["sources"])
    assert all(column["about"] and column["sources"] for column in TABLE["columns"].values())


def test_the_file_has_an_op_a_line_so_that_a_change_reads_well() -> None:
    lines = (Path(support.__file__).parent / "support.json").read_text(encoding="utf-8").splitlines()
    ops = [
        line.split('"')[1]
        for line in lines
        if line.startswith('    "') and '"tensorrt10": {' in line and '"cuda": {' in line
    ]
    assert ops == sorted(TABLE["ops"])
