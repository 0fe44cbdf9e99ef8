"""An ONNX file as a session of onnxruntime, or as a model that OpenVINO has compiled. Needs no torch."""

import contextlib
import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shared.errors import InputError, one_line

CPU = "CPUExecutionProvider"
ON_CUDA = ("TensorrtExecutionProvider", "CUDAExecutionProvider")


def start_session(path: Path, providers: Sequence[str] = (CPU,), *, threads: int, engine_cache: Path) -> Any:
    """A session of onnxruntime on the first of `providers` that starts; those that do not are not reported.

    engine_cache: folder for what TensorRT builds.
    Raises InputError for a provider that this build of onnxruntime lacks, or a file that it cannot read.
    """
    import onnxruntime

    available = onnxruntime.get_available_providers()
    for name in providers:
        if name not in available:
            raise InputError("--providers", expected=f"some of {', '.join(available)}", got=name, fix="choose of these")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    cache = {
        "trt_engine_cache_enable": True, "trt_engine_cache_path": str(engine_cache),
        "trt_timing_cache_enable": True, "trt_timing_cache_path": str(engine_cache),
    }  # fmt: skip
    chosen = [(name, cache if name == ON_CUDA[0] else {}) for name in dict.fromkeys([*providers, CPU])]
    onnxruntime.set_default_logger_severity(4)  # else missing libraries are reported in pages of text
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(action="ignore"):
            return onnxruntime.InferenceSession(str(path), options, providers=chosen)
    except Exception as error:  # onnxruntime raises many kinds
        raise InputError(
            path, expected="a file that onnxruntime can run", got=one_line(error)[:200], fix="export it again"
        ) from error
    finally:
        onnxruntime.set_default_logger_severity(2)


def compile_model(path: Path, *, threads: int, engine_cache: Path) -> Any:
    """What OpenVINO makes of the file for the processor, in float32; it is kept in `engine_cache` for the next time.

    Raises InputError where OpenVINO is not installed, or lacks an op of the file.
    """
    try:
        import openvino
    except ImportError as error:
        raise InputError(
            "--runtime", expected="OpenVINO to be installed", got=one_line(error), fix="run `pip install openvino`"
        ) from error
    settings = {
        "INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32",
        "CACHE_DIR": str(engine_cache),
    }  # fmt: skip
    try:
        return openvino.Core().compile_model(str(path), "CPU", settings)
    except Exception as error:  # of pages
        raise InputError(
            "--runtime", expected="a network whose ops OpenVINO has", got=_without_ops(path) or one_line(error)[:200],
            fix="choose onnx or torch",
        ) from error  # fmt: skip


def _without_ops(path: Path) -> str:
    """The ops of the file that OpenVINO lacks, by the table of support; "" where it knows of none."""
    import onnx

    from shared.export.support import blockers

    return ", ".join(blockers(onnx.load(path))["openvino"])
