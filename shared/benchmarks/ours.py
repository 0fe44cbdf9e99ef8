"""The bundle's own methods: its inferer, with its network as it is, otherwise prepared, or by another runtime."""

import contextlib
import io
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigWorkflow, create_workflow
from torch import Tensor, nn

from shared.benchmarks.methods import Runs, Subject
from shared.benchmarks.tensors import image_of, repeat, without_gradients
from shared.engine.weights import load_weights
from shared.errors import InputError
from shared.export.runtime import OnnxNetwork
from shared.tasks.detection.inferer import Suppressd

Network = Callable[..., Any]


def open_bundle(bundle: str | Path, **overrides: Any) -> ConfigWorkflow:
    """The workflow of a bundle's inference.json, of which MONAI logs nothing."""
    path = Path(bundle) / "configs" / "inference.json"
    logging.disable(logging.WARNING)
    try:
        return create_workflow(config_file=str(path), workflow_type="infer", logging_file=False, **overrides)
    finally:
        logging.disable(logging.NOTSET)


def in_torch(
    subject: Subject, *, bfloat16: bool | None = None, channels_last: bool | None = None, wrapped: str = "eager"
) -> Runs:
    """The bundle in torch: in bfloat16 or float32, in a memory format, and as one of `WRAPS`; None is as shipped.

    Raises InputError for an optimisation as another than eager.
    """
    workflow = open_bundle(subject.bundle, device=subject.device)
    network = _trained(workflow)
    if wrapped != "eager" and next(network.parameters(), None) is None:
        raise InputError(wrapped, expected="a network", got="an optimisation of each pair", fix="it is not tried")
    if channels_last is not None:
        last = torch.channels_last if subject.image.ndim == 4 else torch.channels_last_3d
        memory_format = last if channels_last else torch.contiguous_format
        network.to(memory_format=memory_format)  # type: ignore[call-overload]
    prepared = WRAPS[wrapped](network)
    return _runs(subject, workflow, prepared if bfloat16 is None else InPrecision(prepared, bfloat16))


def in_onnxruntime(subject: Subject, *, provider: str) -> Runs:
    """The bundle by onnxruntime; exported first where the bundle has no file of its weights.

    Raises InputError where the provider does not start, and for an optimisation, which stays in torch.
    """
    options = {"runtime": "onnx", "onnx": subject.onnx, "providers": [provider]}
    workflow = open_bundle(subject.bundle, device=subject.device, **options)
    image_of(subject)  # for its threads
    with contextlib.redirect_stdout(io.StringIO()):
        network = workflow.parser.get_parsed_content("network")
        if not isinstance(network, OnnxNetwork):
            raise InputError("onnxruntime", expected="a network", got="an optimisation by gradients", fix="it has none")
        network.open(workflow.parser.get_parsed_content("weights"))
    started = network.session.get_providers()[0]
    if started != provider:
        raise InputError(provider, expected="to start", got=started, fix="install what it needs")
    return _runs(subject, workflow, network)


def refined(subject: Subject, *, steps: int) -> Runs:
    """A registration with `steps` of refinement on the pair at hand."""
    workflow = open_bundle(subject.bundle, device=subject.device, refine_steps=steps)
    network = _trained(workflow)
    return without_gradients(partial(workflow.parser.get_parsed_content("inferer"), image_of(subject), network))


def published(subject: Subject, *, share: int) -> Runs:
    """NODEO as it was published, with one step of `share`."""
    network = open_bundle(subject.bundle, device=subject.device, preset="paper").parser.get_parsed_content("network")
    network.steps //= share
    return without_gradients(partial(network, image_of(subject)))


class InPrecision:
    """A network under autocast to bfloat16, or under none, whatever it is called under; gives float32."""

    def __init__(self, network: Network, bfloat16: bool) -> None:
        self.network = network
        self.bfloat16 = bfloat16

    def __call__(self, image: Tensor) -> Any:
        with torch.autocast(image.device.type, torch.bfloat16, enabled=self.bfloat16):
            output = self.network(image)
        return output.float() if isinstance(output, Tensor) else output


class Replayed:
    """A network as a CUDA graph, one for images of the shape that it is called with.

    The casts of autocast are captured with it, so that they must not come from its cache.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.graphs: dict[torch.Size, tuple[torch.cuda.CUDAGraph, Tensor, object]] = {}

    def __call__(self, image: Tensor) -> object:
        if image.shape not in self.graphs:
            self.graphs[image.shape] = self._capture(image)
        graph, buffer, output = self.graphs[image.shape]
        buffer.copy_(image)
        graph.replay()
        return output

    def _capture(self, image: Tensor) -> tuple[torch.cuda.CUDAGraph, Tensor, object]:
        buffer, graph, stream = image.clone(), torch.cuda.CUDAGraph(), torch.cuda.Stream()
        lower = torch.is_autocast_enabled("cuda")
        with torch.autocast("cuda", torch.bfloat16, enabled=lower, cache_enabled=False):
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                for _ in range(3):  # what is chosen and allocated at first is not part of the graph
                    self.network(buffer)
            torch.cuda.current_stream().wait_stream(stream)
            with torch.cuda.graph(graph):
                output = self.network(buffer)
        return graph, buffer, output


def compiled(network: nn.Module) -> Network:
    """By torch.compile, for each shape by itself."""
    torch.compiler.reset()  # what was compiled before counts towards its limits
    return torch.compile(network, dynamic=False)


WRAPS: dict[str, Callable[[nn.Module], Network]] = {
    "eager": lambda network: network,
    "compiled": compiled,
    "replayed": Replayed,
}


class Watched:
    """A network that remembers the first image that it was shown, and whether autocast was on."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.images: list[Tensor] = []  # one, once it was called
        self.bfloat16 = False

    def __call__(self, image: Tensor, *args: object, **kwargs: object) -> Any:
        if not self.images:
            self.images, self.bfloat16 = [image.clone()], torch.is_autocast_enabled(image.device.type)
        return self.network(image, *args, **kwargs)


def _trained(workflow: ConfigWorkflow) -> nn.Module:
    network = workflow.parser.get_parsed_content("network")
    if next(network.parameters(), None) is not None:  # an optimisation has none
        load_weights(network, workflow.parser.get_parsed_content("weights"))
    trained: nn.Module = network.eval()
    return trained


def _runs(subject: Subject, workflow: ConfigWorkflow, network: Network) -> Runs:
    """One image by the bundle's inferer, and its suppression if it detects; batches of what the network then saw."""
    inferer, kept = (workflow.parser.get_parsed_content(name) for name in ("inferer", "postprocessing"))
    image, watched = image_of(subject), Watched(network)
    batches: list[Tensor] = []

    def single() -> object:
        found = inferer(image, watched)
        return kept({"image": image[0], "pred": found[0]}) if isinstance(kept, Suppressd) else found

    def batch() -> object:
        if not batches:
            if not watched.images:
                single()
            batches.append(repeat(watched.images[0]))
        with torch.autocast(subject.device, torch.bfloat16, enabled=watched.bfloat16):
            return network(batches[0])

    return without_gradients(single, batch)
