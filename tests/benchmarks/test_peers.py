"""Peers are treated as the bundles are, and compute the same however they are run."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.networks.nets import BasicUNet
from torch import Tensor

from shared.benchmarks import networks, peers
from shared.benchmarks.methods import Subject
from shared.benchmarks.networks import Peer


@pytest.fixture
def subject(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Subject:
    """One whose peer "tiny" is the same small network each time."""
    torch.manual_seed(0)
    network = BasicUNet(2, 1, 2, features=[4] * 6).eval()
    image = torch.rand(1, 1, 32, 48)
    np.save(tmp_path / "image.npy", image.numpy())
    monkeypatch.setattr(networks, "tiny", lambda _: Peer(network, (image,)), raising=False)
    return Subject("none", str(tmp_path / "image.npy"), "cpu", 1)


def test_the_best_layout_and_precision_are_those_that_took_the_least_time(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = iter([4.0, float("inf"), 2.0, 3.0])
    monkeypatch.setattr(peers, "computes_in_bfloat16", lambda device: True)
    monkeypatch.setattr(peers, "_least_seconds", lambda run, device: next(seconds))
    runs = peers.best(subject, network="tiny")
    assert runs.note == "channels last, float32"
    expected = peers.plain(subject, network="tiny").single()
    assert isinstance(expected, Tensor)
    torch.testing.assert_close(runs.single(), expected, rtol=1e-4, atol=1e-5)  # rounding


def test_bfloat16_is_tried_only_where_the_processor_computes_in_it(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[object] = []

    def seconds(run: object, device: str) -> float:
        tried.append(run)
        return len(tried)

    monkeypatch.setattr(peers, "_least_seconds", seconds)
    for lower, number in ((False, 2), (True, 4)):
        tried.clear()
        monkeypatch.setattr(peers, "computes_in_bfloat16", lambda device, lower=lower: lower)
        assert "float32" in peers.best(subject, network="tiny").note
        assert len(tried) == number


def test_a_network_that_cannot_run_so_is_not_the_fastest() -> None:
    def failing() -> None:
        raise RuntimeError("not implemented for 'BFloat16'")

    assert peers._least_seconds(failing, "cpu") == float("inf")
    assert 0 <= peers._least_seconds(lambda: None, "cpu") < 1


def test_onnxruntime_gives_what_torch_gives_of_one_and_of_a_batch(subject: Subject) -> None:
    exact = peers.plain(subject, network="tiny").single()
    runs = peers.in_onnxruntime(subject, network="tiny", provider="CPUExecutionProvider")
    assert isinstance(exact, Tensor)
    assert runs.batch is not None
    for run, count in ((runs.single, 1), (runs.batch, subject.batch)):
        outputs: Any = run()
        np.testing.assert_allclose(outputs[0], exact.expand(count, -1, -1, -1), rtol=1e-3, atol=1e-4)
