"""What a run was measured on: figures of one kind of machine are not those of another."""

import platform
from importlib.metadata import PackageNotFoundError, version

import torch

from shared.export.choices import processor

KINDS = {  # in the report's order; the heading of each kind's section
    "amx": "Processors with AMX (amx_bf16)",
    "avx512_bf16": "Processors with avx512_bf16, without AMX",
    "plain": "Processors without bfloat16",
    "gpu": "GPUs",
}
FLAGS = ("avx512_bf16", "amx_bf16")
PACKAGES = ("torch", "monai", "onnxruntime", "onnxruntime-gpu", "openvino", "SimpleITK", "scikit-image")


def kind_of(device: str) -> str:
    """Of `KINDS`, for "cpu" or "cuda" here."""
    if device == "cuda":
        return "gpu"
    flags = bfloat16_flags()
    return "amx" if "amx_bf16" in flags else "avx512_bf16" if "avx512_bf16" in flags else "plain"


def bfloat16_flags() -> list[str]:
    """Which of `FLAGS` this processor has."""
    found = torch.cpu.get_capabilities()
    return [flag for flag in FLAGS if found.get(flag)]


def described(device: str, threads: int) -> str:
    """The machine in a line: its GPU, if that is meant, its processor's name and flags, threads and system."""
    gpu = f"{torch.cuda.get_device_name()}, " if device == "cuda" else ""
    flags = ", ".join(bfloat16_flags()) or f"neither {' nor '.join(FLAGS)}"
    return f"{gpu}{processor()} ({flags}), {threads} threads, {platform.system()}"


def versions() -> str:
    """Those of the packages that compute, and which are not installed."""
    return ", ".join(f"{name} {_version(name)}" for name in PACKAGES)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
