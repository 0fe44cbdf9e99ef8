"""Peers that are networks: as MONAI has them, and as well as this machine can run them."""

import contextlib
import io
import logging
import time
from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from shared.benchmarks import networks
from shared.benchmarks.methods import Runs, Subject
from shared.benchmarks.tensors import alone, memory_format, repeat, settle
from shared.benchmarks.wraps import InPrecision
from shared.engine.fusing import fused
from shared.engine.inferers import computes_in_bfloat16
from shared.errors import InputError
from shared.export.files import OPSET
from shared.export.sessions import compile_model, start_session
from shared.layers.onednn import convolve_by_onednn

TRIALS = 2  # timed runs of each layout and precision, after a first


def plain(subject: Subject, *, network: str) -> Runs:
    """As MONAI makes it."""
    peer = peer_of(subject, network)
    return alone(peer.network, *peer.images, count=subject.batch)


def best(subject: Subject, *, network: str) -> Runs:
    """In its fastest layout and precision, with convolutions by oneDNN, fused as the bundles' are."""
    peer = peer_of(subject, network)
    lower = (False, True) if computes_in_bfloat16(torch.device(subject.device)) else (False,)
    tried: dict[str, Runs] = {}
    for last, bfloat16 in product((False, True), lower):
        name = f"{'channels last' if last else 'channels first'}, {'bfloat16' if bfloat16 else 'float32'}"
        layout = memory_format(peer.images[0].ndim, last)
        prepared = fused(convolve_by_onednn(deepcopy(peer.network))).to(memory_format=layout)  # type: ignore[call-overload]
        images = [image.contiguous(memory_format=layout) for image in peer.images]
        tried[name] = alone(InPrecision(prepared, bfloat16), *images, count=subject.batch)
    seconds = {name: _least_seconds(runs.single, subject.device) for name, runs in tried.items()}
    fastest = min(seconds, key=lambda name: seconds[name])
    return tried[fastest]._replace(note=fastest)


def in_onnxruntime(subject: Subject, *, network: str, provider: str) -> Runs:
    """By onnxruntime. Raises InputError where the provider does not start."""

    def start(path: Path) -> Callable[[Sequence[np.ndarray]], object]:
        session = start_session(path, [provider], threads=subject.threads, engine_cache=path.parent)
        check_provider(session, provider)
        names = [entry.name for entry in session.get_inputs()]
        return lambda images: session.run(None, dict(zip(names, images)))

    return _exported(subject, peer_of(subject, network), network, start)


def in_openvino(subject: Subject, *, network: str) -> Runs:
    """By OpenVINO. Raises InputError where it is not installed."""

    def start(path: Path) -> Callable[[Sequence[np.ndarray]], object]:
        model: Callable[[Sequence[np.ndarray]], object] = compile_model(
            path, threads=subject.threads, engine_cache=path.parent
        )
        return model

    return _exported(subject, peer_of(subject, network), network, start)


def peer_of(subject: Subject, network: str) -> networks.Peer:
    """The peer whose function in `networks` is called so."""
    peer: networks.Peer = getattr(networks, network)(subject)
    return peer


def written(network: nn.Module, images: Sequence[Tensor], path: Path) -> Path:
    """An ONNX file of the network for images of these sizes, written where there is none."""
    if not path.is_file():
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it misses torchvision
        with contextlib.redirect_stdout(io.StringIO()):
            torch.onnx.export(
                network.cpu(), tuple(images), str(path), opset_version=OPSET, dynamo=True, external_data=False,
                verbose=False,
            )  # fmt: skip
    return path


def check_provider(session: Any, provider: str) -> None:
    """Raises InputError where a session of onnxruntime runs on another provider."""
    started = session.get_providers()[0]
    if started != provider:
        raise InputError(provider, expected="to start", got=started, fix="install what it needs")


def _exported(
    subject: Subject, peer: networks.Peer, name: str, start: Callable[[Path], Callable[[Sequence[np.ndarray]], object]]
) -> Runs:
    """What `start` makes of the peer's ONNX files, one for an image and one for a batch, in the subject's folder."""
    folder = Path(subject.file).parent

    def prepared(images: Sequence[Tensor]) -> Callable[[], object]:
        path = written(peer.network, images, folder / f"{name}_{len(images[0])}.onnx")
        run, arrays = start(path), [image.numpy() for image in images]
        return lambda: run(arrays)

    singles = [image.cpu() for image in peer.images]
    batch = cache(lambda: prepared([repeat(image, subject.batch) for image in singles]))  # exported if it is wanted
    return Runs(prepared(singles), lambda: batch()())


def _least_seconds(run: Callable[[], object], device: str) -> float:
    """Of `TRIALS` runs; infinite where the network cannot run so."""
    times = []
    try:
        for _ in range(1 + TRIALS):
            settle(device)
            begun = time.perf_counter()
            run()
            settle(device)
            times.append(time.perf_counter() - begun)
    except RuntimeError:  # a layer that lacks bfloat16
        return float("inf")
    return min(times[1:])
