"""Which methods are timed for a bundle: itself in its variants, and its peers, treated the same."""

from pathlib import Path
from typing import Any

import torch

from shared.benchmarks.methods import Method, read_config
from shared.engine.inferers import computes_in_bfloat16

HERE = "shared.benchmarks"
EXPORTED = f"{HERE}.ours.in_other_runtime"
PROVIDERS = {"CPU": "CPUExecutionProvider", "CUDA": "CUDAExecutionProvider", "TensorRT": "TensorrtExecutionProvider"}


def _ours(name: str, *, starts: bool = False, **options: Any) -> Method:
    return Method(f"ours, {name}", f"{HERE}.ours.in_torch", options, starts)


def _onnx(name: str) -> Method:
    return Method(f"ours, onnxruntime, {name}", EXPORTED, {"runtime": "onnx", "provider": PROVIDERS[name]})


def _peer(name: str, network: str, device: str) -> list[Method]:
    """A network as MONAI has it, then in the layout and precision that suit it best, then in other runtimes."""
    options = {"network": network}
    methods = [
        Method(name, f"{HERE}.peers.plain", options),
        Method(f"{name}, best in torch", f"{HERE}.peers.best", options, starts=False),
    ]
    for provider in ("CPU",) if device == "cpu" else ("CUDA", "TensorRT"):
        choice = {**options, "provider": PROVIDERS[provider]}
        methods.append(Method(f"{name}, onnxruntime, {provider}", f"{HERE}.peers.in_onnxruntime", choice, starts=False))
    if device == "cpu":
        methods.append(Method(f"{name}, OpenVINO", f"{HERE}.peers.in_openvino", options, starts=False))
    return methods


SHIPPED = _ours("as shipped", starts=True)
FLOAT32 = _ours("float32", bfloat16=False)
BFLOAT16 = _ours("bfloat16", bfloat16=True)
COMPILED = _ours("torch.compile", starts=True, wrapped="compiled", fuse=False)
ON_CPU = (
    _ours("not fused", fuse=False),
    COMPILED,
    _onnx("CPU"),
    Method("ours, OpenVINO", EXPORTED, {"runtime": "openvino"}),
)
ON_CUDA = (
    BFLOAT16,
    _ours("float32, channels first", bfloat16=False, channels_last=False),
    _ours("float32, channels last", bfloat16=False, channels_last=True),
    COMPILED,
    _ours("CUDA graph", wrapped="replayed"),
    _onnx("CUDA"),
    _onnx("TensorRT"),
)
DEMONS = Method("SimpleITK diffeomorphic demons, 100 iterations", f"{HERE}.classical.demons")
# By what the bundle's name ends with, the first that fits: networks by name, and other methods.
NETWORKS = {
    "_instance_segmentation": {},
    "_segmentation": {"MONAI BasicUNet": "basic_unet", "MONAI DynUNet (nnU-Net)": "dyn_unet"},
    "_detection": {"MONAI RetinaNet, ResNet-18, network alone": "retina_net"},
    "_nodeo_registration": {},
    "_registration": {"MONAI VoxelMorph": "voxelmorph"},
}
OTHERS = {
    "_instance_segmentation": (Method("Otsu and watershed (scikit-image)", f"{HERE}.classical.watershed"),),
    "_segmentation": (),
    "_detection": (),
    "_nodeo_registration": (
        Method("ours, preset paper, 15 of 300 steps", f"{HERE}.ours.published", {"share": 20}),
        DEMONS,
    ),
    "_registration": (
        Method("ours, 50 refinement steps", f"{HERE}.ours.refined", {"steps": 50}, starts=False),
        DEMONS,
    ),
}


def methods_of(bundle: Path, device: str) -> list[Method]:
    """The methods for a bundle on a device, "cpu" or "cuda"; the first is the bundle as it is shipped."""
    ending = next(ending for ending in NETWORKS if bundle.name.endswith(ending))
    variants: list[Method] = []
    if ending != "_nodeo_registration":  # an optimisation runs as it is, in torch alone
        variants = [*ON_CUDA] if device == "cuda" else [_other_precision(bundle), *ON_CPU]
    peers = [method for name, network in NETWORKS[ending].items() for method in _peer(name, network, device)]
    return [SHIPPED, *variants, *peers, *OTHERS[ending]]


def _other_precision(bundle: Path) -> Method:
    """The precision that a bundle is not run in on this processor."""
    lower = read_config(bundle).get("bfloat16") and computes_in_bfloat16(torch.device("cpu"))
    return FLOAT32 if lower else BFLOAT16
