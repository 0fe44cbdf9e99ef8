"""Running a bundle's network by onnxruntime or OpenVINO in place of torch."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from shared.engine.forms import Form, Outputs, settings_sha256
from shared.engine.weights import weight_file
from shared.errors import InputError, one_line
from shared.export.sessions import CPU, ON_CUDA, compile_model, start_session
from shared.export.trial import FastestNetwork
from shared.files import sha256_of

RUNTIMES = ("torch", "onnx", "openvino", "auto")


def in_runtime(network: nn.Module, runtime: str, forms: Mapping[str, Callable[..., Form]], **options: Any) -> nn.Module:
    """`network` itself for the runtime "torch"; else what runs the first of `forms` in its place.

    options: those of `OnnxNetwork`. "auto": the fastest of those installed, see `FastestNetwork`. An optimisation stays
    in torch, and that is printed. Raises InputError for another runtime.
    """
    if runtime not in RUNTIMES:
        raise InputError("--runtime", expected=f"one of {', '.join(RUNTIMES)}", got=runtime, fix="choose one of these")
    if runtime == "torch":
        return network
    maker = next(iter(forms.values()))
    form: type[Form] = maker.func if isinstance(maker, partial) else maker  # type: ignore[assignment]
    if not form.is_whole:
        print(f"runtime {runtime}: this optimises each pair by gradients, which torch alone has, so it runs in torch")
        return network
    if runtime == "auto":
        others = {name: STAND_INS[name](network, forms, form, **options) for name in installed(options["device"])}
        return FastestNetwork(network, others, bundle_root=options["bundle_root"])
    return STAND_INS[runtime](network, forms, form, **options)


def installed(device: str | torch.device) -> list[str]:
    """The runtimes besides torch that are installed and compute on `device`."""
    if torch.device(device).type == "cpu":
        return ["onnx", *(["openvino"] if find_spec("openvino") else [])]
    return ["onnx"] if usual_providers(torch.device(device)) != [CPU] else []


class OnnxNetwork(nn.Module):
    """What a network gives for an image (B, C, *S), computed by onnxruntime from an ONNX file.

    path: the file; none, and it is the one beside the weights, which is exported where there is none of these weights.
    providers: those of onnxruntime, the first that starts is used; none, and it is the processor's, or for a `device`
    of CUDA TensorRT's, then CUDA's. engine_cache: folder for what TensorRT builds.
    """

    def __init__(
        self,
        network: nn.Module,
        forms: Mapping[str, Callable[..., Form]],
        form: type[Form],
        *,
        bundle_root: str | Path,
        path: str | Path = "",
        device: str | torch.device = "cpu",
        providers: Sequence[str] = (),
        engine_cache: str | Path = "engines",
    ) -> None:
        super().__init__()
        self.source: Mapping[str, Any] = {"bundle_root": Path(bundle_root), "network": network, "forms": forms}
        self.form = form
        self.path = Path(path) if path else None
        self.providers = list(providers) or usual_providers(torch.device(device))
        self.engine_cache = Path(engine_cache)
        self.session: Any = None

    def open(self, weights: str | Path) -> None:
        """Start the runtime on the file of these weights. Raises InputError where it is missing or of other weights."""
        path = self.path or weight_file(weights).with_suffix(".onnx")
        of_these = self._is_of(path, weights)
        if self.path is None and not of_these:
            from shared.export.bundles import export_bundle  # imports what only an export needs

            print(f"{path}: exporting it from {Path(weights).name}, once: about a minute", flush=True)
            export_bundle(**self.source, weights=weights, path=path)
        elif not of_these:
            found = "one of other weights or settings" if path.is_file() else "none"
            raise InputError(path, expected=f"an ONNX file of {weights}", got=found, fix="run scripts/export_onnx.py")
        self._start(path)

    def forward(self, image: Tensor) -> Outputs:
        outputs = self._run(image.float().cpu().numpy())
        return self.form.of_outputs([torch.from_numpy(output).to(image.device) for output in outputs])

    def _start(self, path: Path) -> None:
        threads = torch.get_num_threads()
        self.session = start_session(path, self.providers, threads=threads, engine_cache=self.engine_cache)
        used = self.session.get_providers()
        absent = [name for name in self.providers if name not in used]
        print(f"onnxruntime: {path} on {', '.join(used)}", *(f"(not {name})" for name in absent), flush=True)

    def _run(self, image: np.ndarray) -> list[np.ndarray]:
        outputs: list[np.ndarray] = self.session.run(list(self.form.outputs), {"image": image})
        return outputs

    def _is_of(self, path: Path, weights: str | Path) -> bool:
        """Whether `path` is an ONNX file that was exported from this network with these weights."""
        if not path.is_file():
            return False
        import onnx

        try:
            properties = {entry.key: entry.value for entry in onnx.load(path, load_external_data=False).metadata_props}
        except Exception as error:  # protobuf's own kinds
            raise InputError(path, expected="an ONNX file", got=one_line(error)[:200], fix="export it again") from error
        wanted = {
            "weights_sha256": sha256_of(weight_file(weights)),
            "settings_sha256": settings_sha256(self.source["network"]),
        }
        return wanted.items() <= properties.items()


class OpenVINONetwork(OnnxNetwork):
    """The same by OpenVINO, on the processor, whatever `device` and `providers` are."""

    def _start(self, path: Path) -> None:
        self.session = compile_model(path, threads=torch.get_num_threads(), engine_cache=self.engine_cache)
        print(f"OpenVINO: {path} on the processor", flush=True)

    def _run(self, image: np.ndarray) -> list[np.ndarray]:
        outputs = self.session({"image": image})
        return [outputs[name].copy() for name in self.form.outputs]  # OpenVINO writes the next ones over them


STAND_INS: Mapping[str, type[OnnxNetwork]] = {"onnx": OnnxNetwork, "openvino": OpenVINONetwork}


def usual_providers(device: torch.device) -> list[str]:
    """For a device the providers that this build of onnxruntime has, the fastest first."""
    import onnxruntime

    available = onnxruntime.get_available_providers()
    return [name for name in ON_CUDA if device.type == "cuda" and name in available] + [CPU]
