"""`--runtime auto` takes what is the fastest, gives its results, and remembers it."""

import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from shared.engine.forms import Form
from shared.errors import InputError
from shared.export import trial
from shared.export.runtime import in_runtime
from shared.export.trial import FastestNetwork


class StandIn(nn.Module):
    """Adds `shift` in so many milliseconds, and counts how often it is opened and asked."""

    def __init__(self, shift: float, ms: float, fault: str = "") -> None:
        super().__init__()
        self.shift, self.ms, self.fault, self.opened, self.asked = shift, ms, fault, 0, 0

    def open(self, weights: str | Path) -> None:
        self.opened += 1
        if self.fault:
            raise InputError("--runtime", expected="an engine", got=self.fault, fix="mend it")

    def forward(self, image: Tensor) -> Tensor:
        self.asked += 1
        time.sleep(self.ms / 1000)
        return image + self.shift


class Slow(nn.Conv2d):
    """A network in torch of 40 ms."""

    def forward(self, image: Tensor) -> Tensor:
        time.sleep(0.04)
        return super().forward(image)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.save(Slow(1, 1, 1).state_dict(), tmp_path / "model.pt")
    return tmp_path / "model.pt"


def fastest(weights: Path, **others: Any) -> FastestNetwork:
    made = FastestNetwork(Slow(1, 1, 1), others, bundle_root=weights.parent)
    made.open(weights)
    return made


def test_the_fastest_runs_and_is_remembered_and_the_others_are_not_opened_again(weights: Path) -> None:
    # 1 and 20 ms: told apart on a machine that is at work, too.
    chosen = fastest(weights, onnx=StandIn(1, 20), openvino=StandIn(2, 1))
    image = torch.rand(1, 1, 4, 4)
    assert chosen.choice == ""
    assert torch.equal(chosen(image), image + 2)
    assert chosen.choice.startswith("runtime auto: openvino, the fastest for such an image on this machine (torch ")
    again = fastest(weights, onnx=StandIn(1, 0), openvino=StandIn(2, 60))
    assert torch.equal(again(image), image + 2)
    assert (again.others["onnx"].opened, again.others["openvino"].asked) == (0, 1)
    assert again.choice == chosen.choice
    torch.save(Slow(1, 1, 1).state_dict(), weights)  # other weights: another trial
    assert torch.equal(fastest(weights, onnx=StandIn(1, 0), openvino=StandIn(2, 60))(image), image + 1)


def test_what_does_not_start_is_left_out_with_a_line_and_torch_remains(
    weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = fastest(weights, openvino=StandIn(2, 0, fault="no GridSample"))
    with torch.no_grad():
        assert torch.equal(chosen(torch.ones(1, 1, 4, 4)), chosen.network(torch.ones(1, 1, 4, 4)))
    assert "openvino is left out, --runtime: expected an engine, got no GridSample; mend it" in capsys.readouterr().out
    assert "runtime auto: torch, " in chosen.choice


def test_missing_weights_are_refused_before_the_first_image(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a weight file"):
        fastest(tmp_path / "no.pt")


def test_no_round_is_begun_after_the_longest_time(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "LONGEST", 0.0)
    other = StandIn(1, 0)
    fastest(weights, onnx=other)(torch.ones(1, 1, 4, 4))
    assert other.asked == 3  # to warm up, once for the time, and for the result


def test_auto_is_made_of_what_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for found, names in ((None, ["onnx"]), (object(), ["onnx", "openvino"])):
        monkeypatch.setattr("shared.export.runtime.find_spec", lambda name, found=found: found)
        made = in_runtime(Slow(1, 1, 1), "auto", {"raw": Form}, bundle_root=tmp_path, device="cpu")
        assert isinstance(made, FastestNetwork)
        assert list(made.others) == names
    monkeypatch.setattr("shared.export.runtime.usual_providers", lambda device: ["CPUExecutionProvider"])
    on_cuda = in_runtime(Slow(1, 1, 1), "auto", {"raw": Form}, bundle_root=tmp_path, device="cuda")
    assert isinstance(on_cuda, FastestNetwork)
    assert list(on_cuda.others) == []
