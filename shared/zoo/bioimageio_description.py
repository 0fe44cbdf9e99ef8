"""rdf.yaml: what bioimage.io (specification 0.5) knows of a model, of a bundle's network and metadata."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.export.files import OPSET
from shared.files import sha256_of
from shared.nets.standardised import build_network

FORMAT = "0.5.12"
AXES = {2: "yx", 3: "xyz"}  # of our arrays: rows and columns of a picture, left to right first of a volume
SMALLEST = 16  # pixels of a side in which networks of four levels see something


@dataclass(frozen=True)
class Model:
    """What a bundle's network takes and gives.

    target, arguments: of `build_network`. percentiles: lower and upper, which become 0 and 1. standardised: whether
    zero mean and unit variance follow. spacing: of the network's grid along each axis, in `unit`.
    """

    target: str
    arguments: Mapping[str, Any]
    percentiles: tuple[float, float]
    standardised: bool
    class_names: Sequence[str]
    spacing: Sequence[float]
    unit: str

    @property
    def architecture(self) -> dict[str, Any]:
        return {"target": self.target, "standardised": self.standardised, **self.arguments}


def description(model: Model, metadata: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The content of rdf.yaml in `folder`, beside the files that it names: arrays, weights, README, licence."""
    licence = metadata["weights_licence"]
    return {
        "format_version": FORMAT,
        "type": "model",
        "name": metadata["name"],
        "description": metadata["description"],
        "version": metadata["version"],
        "authors": [{"name": metadata["authors"]}],
        "license": _file(folder / "data_license.txt") if " " in licence else licence,  # words are no SPDX identifier
        "documentation": _file(folder / "README.md"),
        "tags": ["monai", "segmentation", metadata["network_data_format"]["inputs"]["image"]["modality"].lower()],
        "cite": [{"text": text, "url": text.rpartition(" ")[2]} for text in metadata["references"]],
        "inputs": [_input(model, folder)],
        "outputs": [_output(model, folder)],
        "weights": _weights(model, metadata, folder),
    }


def _input(model: Model, folder: Path) -> dict[str, Any]:
    """An image on the network's grid: neither tool resamples, so it is the user who sees to that."""
    channels = [f"channel{number}" for number in range(model.arguments["in_channels"])]
    lower, upper = model.percentiles
    axes = list(AXES[len(model.spacing)])
    return {
        "id": "image",
        "axes": [*_first_axes(channels), *_space(model, {axis: {"min": SMALLEST, "step": 1} for axis in axes})],
        "test_tensor": _file(folder / "input.npy"),
        "preprocessing": [
            {"id": "scale_range", "kwargs": {"axes": axes, "min_percentile": lower, "max_percentile": upper}},
            {"id": "clip", "kwargs": {"min": 0.0, "max": 1.0}},
        ],
    }


def _output(model: Model, folder: Path) -> dict[str, Any]:
    sizes = {axis: {"tensor_id": "image", "axis_id": axis} for axis in AXES[len(model.spacing)]}
    return {
        "id": "pred",
        "axes": [*_first_axes(model.class_names), *_space(model, sizes)],
        "test_tensor": _file(folder / "output.npy"),
        "postprocessing": [{"id": "softmax", "kwargs": {"axis": "channel"}}],
    }


def _first_axes(channels: Sequence[str]) -> list[dict[str, Any]]:
    return [{"type": "batch"}, {"type": "channel", "channel_names": list(channels)}]


def _space(model: Model, sizes: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"type": "space", "id": axis, "size": dict(size), "unit": model.unit, "scale": scale}
        for (axis, size), scale in zip(sizes.items(), model.spacing)
    ]


def _weights(model: Model, metadata: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    architecture = {
        "callable": build_network.__name__,
        "import_from": "monai_bundle_zoo.networks",
        "kwargs": model.architecture,
    }
    state = {"architecture": architecture, "pytorch_version": metadata["pytorch_version"]}
    onnx = {"opset_version": OPSET, "parent": "pytorch_state_dict"}
    return {
        "pytorch_state_dict": _file(folder / "model.pt") | state,
        "onnx": _file(folder / "model.onnx") | onnx,
    }


def _file(path: Path) -> dict[str, str]:
    return {"source": path.name, "sha256": sha256_of(path)}
