"""What is timed: each bundle in its variants, and its peers; each can be built from its description alone.

Light to import, since what a method imports is part of its start-up.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from shared.files import read_json

HERE = "shared.benchmarks"
EXPORTED = f"{HERE}.ours.in_onnxruntime"


@dataclass
class Subject:
    """What the methods are timed on: an image, and the bundle that it is a sample of.

    bundle: its folder. file: of the array (1, C, *S), float32, that the bundle's preprocessing gives. device: "cpu" or
    "cuda". onnx: a file to run in place of the bundle's models/model.onnx.
    """

    bundle: str
    file: str
    device: str = "cpu"
    threads: int = 2
    onnx: str = ""

    @cached_property
    def config(self) -> dict[str, Any]:
        """The bundle's inference.json, as it is written."""
        return read_config(Path(self.bundle))

    @cached_property
    def image(self) -> np.ndarray:
        return np.load(self.file)


class Runs(NamedTuple):
    """What is timed: `single`, one image to its result, and `batch`, eight at once by the network alone if it can."""

    single: Callable[[], object]
    batch: Callable[[], object] | None = None


@dataclass(frozen=True)
class Method:
    """builder: dotted name of a function (Subject, **options) -> Runs; its module is imported only to build."""

    name: str
    builder: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def build(self, subject: Subject) -> Runs:
        module, function = self.builder.rsplit(".", 1)
        runs: Runs = getattr(import_module(module), function)(subject, **self.options)
        return runs


def _ours(name: str, **options: Any) -> Method:
    return Method(f"ours, {name}", f"{HERE}.ours.in_torch", options)


def _onnx(name: str, provider: str) -> Method:
    return Method(f"ours, onnxruntime, {name}", EXPORTED, {"provider": provider})


SHIPPED = _ours("as shipped")
FLOAT32 = _ours("float32", bfloat16=False)  # of what is shipped in bfloat16
EVERYWHERE = (_ours("torch.compile", wrapped="compiled"), _onnx("CPU", "CPUExecutionProvider"))
ON_CUDA = (
    _ours("bfloat16", bfloat16=True),
    _ours("float32, channels first", bfloat16=False, channels_last=False),
    _ours("float32, channels last", bfloat16=False, channels_last=True),
    _ours("CUDA graph", wrapped="replayed"),
    _onnx("CUDA", "CUDAExecutionProvider"),
    _onnx("TensorRT", "TensorrtExecutionProvider"),
)
DEMONS = Method("SimpleITK diffeomorphic demons, 100 iterations", f"{HERE}.classical.demons")
PEERS = {  # by what the bundle's name ends with
    "_instance_segmentation": (Method("Otsu and watershed (scikit-image)", f"{HERE}.classical.watershed"),),
    "_segmentation": (
        Method("MONAI BasicUNet", f"{HERE}.networks.basic_unet"),
        Method("MONAI DynUNet (nnU-Net)", f"{HERE}.networks.dyn_unet"),
    ),
    "_detection": (Method("MONAI RetinaNet, ResNet-18, network alone", f"{HERE}.networks.retina_net"),),
    "_voxelmorph_registration": (
        Method("ours, 50 refinement steps", f"{HERE}.ours.refined", {"steps": 50}),
        Method("MONAI VoxelMorph", f"{HERE}.networks.voxelmorph"),
        DEMONS,
    ),
    "_nodeo_registration": (
        Method("ours, preset paper, 15 of 300 steps", f"{HERE}.ours.published", {"share": 20}),
        DEMONS,
    ),
}


def methods_of(bundle: Path, device: str) -> list[Method]:
    """The methods for a bundle on a device, "cpu" or "cuda"; the first is the bundle as it is shipped."""
    peers = next(methods for ending, methods in PEERS.items() if bundle.name.endswith(ending))
    lower = (FLOAT32,) if read_config(bundle).get("bfloat16") else ()
    return [SHIPPED, *lower, *EVERYWHERE, *(ON_CUDA if device == "cuda" else ()), *peers]


def read_config(bundle: Path) -> dict[str, Any]:
    config: dict[str, Any] = read_json(bundle / "configs" / "inference.json")
    return config
