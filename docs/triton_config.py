"""Triton's config.pbtxt for a bundle's ONNX file: python triton_config.py MODEL.onnx > config.pbtxt

What it says is in the file; it needs onnx alone. The first axis is the batch; axes of any size, for which the file has
names, become -1.
"""

import sys

import onnx

TYPES = {
    onnx.TensorProto.FLOAT: "TYPE_FP32", onnx.TensorProto.FLOAT16: "TYPE_FP16", onnx.TensorProto.INT64: "TYPE_INT64",
}  # fmt: skip
LARGEST_BATCH = 4


def entry(value):
    tensor = value.type.tensor_type
    _, *sizes = (dim.dim_value or -1 for dim in tensor.shape.dim)
    lines = [f'name: "{value.name}"', f"data_type: {TYPES[tensor.elem_type]}"]
    if sizes:
        lines.append(f"dims: [ {', '.join(map(str, sizes))} ]")
    else:  # a number an image, for which Triton wants an axis
        lines += ["dims: [ 1 ]", "reshape { shape: [ ] }"]
    return "\n".join(["  {", *(f"    {line}" for line in lines), "  }"])


def config_of(model):
    (name,) = (prop.value for prop in model.metadata_props if prop.key == "bundle")
    lines = [f'name: "{name}"', 'backend: "onnxruntime"', f"max_batch_size: {LARGEST_BATCH}"]
    for part, values in (("input", model.graph.input), ("output", model.graph.output)):
        lines += [f"{part} [", ",\n".join(map(entry, values)), "]"]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    print(config_of(onnx.load(sys.argv[1], load_external_data=False)), end="")
