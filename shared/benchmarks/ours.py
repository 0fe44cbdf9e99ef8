"""The bundle's own methods: its inferer, with its network as it is, otherwise prepared, or by another runtime."""

import contextlib
import io
import logging
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from shared.benchmarks.methods import Runs, Subject
from shared.benchmarks.peers import check_provider
from shared.benchmarks.tensors import image_of, memory_format, repeat, without_gradients
from shared.benchmarks.wraps import WRAPS, InPrecision, Network, Watched
from shared.door import OpenBundle, open_bundle
from shared.engine.fusing import fused
from shared.engine.weights import load_weights
from shared.errors import InputError
from shared.export.runtime import OnnxNetwork
from shared.tasks.detection.inferer import Suppressd


def opened(bundle: str | Path, **options: object) -> OpenBundle:
    """The bundle with its config read, of which MONAI logs nothing."""
    result = open_bundle(bundle, **options)
    logging.disable(logging.WARNING)
    try:
        result.part("bundle_root")
    finally:
        logging.disable(logging.NOTSET)
    return result


def first_image(bundle: Path) -> np.ndarray:
    """What the bundle's preprocessing makes of its first sample: (1, C, *S), float32."""
    samples = opened(bundle)
    cases = samples.part("cases")
    samples.part("report").pending[0] = getattr(cases, "cases", cases)[0]
    image: np.ndarray = samples.part("dataset")[0]["image"].numpy()
    return image[None].astype(np.float32)


def in_torch(
    subject: Subject,
    *,
    bfloat16: bool | None = None,
    channels_last: bool | None = None,
    wrapped: str = "eager",
    fuse: bool = True,
) -> Runs:
    """The bundle in torch: in bfloat16 or float32, in a memory format, as one of `WRAPS`; None is as shipped.

    fuse: run the fused copy of its network, as the bundle does on a CPU.
    """
    bundle = opened(subject.bundle, device=subject.device)
    network = _trained(bundle)
    if channels_last is not None:
        network.to(memory_format=memory_format(subject.image.ndim, channels_last))  # type: ignore[call-overload]
    prepared = WRAPS[wrapped](fused(network) if fuse else network)
    return _runs(subject, bundle, prepared if bfloat16 is None else InPrecision(prepared, bfloat16))


def in_other_runtime(subject: Subject, *, runtime: str, provider: str = "") -> Runs:
    """The bundle by "onnx" or "openvino"; exported first where the bundle has no file of its weights.

    Raises InputError where the provider does not start, and for an optimisation, which stays in torch.
    """
    files = {"onnx": subject.onnx, "providers": [provider] if provider else []}
    options = {name: value for name, value in files.items() if name in subject.config}  # an optimisation has neither
    bundle = opened(subject.bundle, device=subject.device, runtime=runtime, **options)
    image_of(subject)  # for its threads
    with contextlib.redirect_stdout(io.StringIO()):
        network = bundle.part("network")
        if not isinstance(network, OnnxNetwork):
            raise InputError(runtime, expected="a network", got="an optimisation by gradients", fix="it has none")
        network.open(bundle.part("weights"))
    if provider:
        check_provider(network.session, provider)
    return _runs(subject, bundle, network)


def refined(subject: Subject, *, steps: int) -> Runs:
    """A registration with `steps` of refinement on the pair at hand."""
    bundle = opened(subject.bundle, device=subject.device, refine_steps=steps)
    network = _trained(bundle)
    return without_gradients(partial(bundle.part("inferer"), image_of(subject), network))


def published(subject: Subject, *, share: int) -> Runs:
    """NODEO as it was published, with one step of `share`."""
    network = opened(subject.bundle, device=subject.device, preset="paper").part("network")
    network.steps //= share
    return without_gradients(partial(network, image_of(subject)))


def _trained(bundle: OpenBundle) -> nn.Module:
    network: nn.Module = bundle.part("network")
    if next(network.parameters(), None) is not None:  # an optimisation has none
        load_weights(network, bundle.part("weights"))
    return network.eval()


def _runs(subject: Subject, bundle: OpenBundle, network: Network) -> Runs:
    """One image by the bundle's inferer, and its suppression if it detects; batches of what the network then saw."""
    inferer, kept = (bundle.part(name) for name in ("inferer", "postprocessing"))
    image, watched = image_of(subject), Watched(network)
    batches: list[Tensor] = []

    def single() -> object:
        found = inferer(image, watched)
        return kept({"image": image[0], "pred": found[0]}) if isinstance(kept, Suppressd) else found

    def batch() -> object:
        if not batches:
            if not watched.images:
                single()
            batches.append(repeat(watched.images[0], subject.batch))
        with torch.autocast(subject.device, torch.bfloat16, enabled=watched.bfloat16):
            return network(batches[0])

    return without_gradients(single, batch)
