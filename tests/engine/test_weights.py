"""Weights go in and out of networks without a loss that matters, and unfit ones are refused."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from shared.engine.weights import half_state_dict, initial_weights, load_weights
from shared.errors import InputError
from shared.nets.ensemble import ensemble_state


def test_weights_in_half_precision_load_into_single_precision(tmp_path: Path) -> None:
    network = nn.Conv2d(1, 2, 3)
    torch.save(half_state_dict(network), tmp_path / "w.pt")
    loaded = load_weights(nn.Conv2d(1, 2, 3), tmp_path / "w.pt")
    # Half precision keeps 11 bits.
    assert loaded.weight.dtype is torch.float32
    torch.testing.assert_close(loaded.weight, network.weight, rtol=2**-11, atol=1e-7)


@pytest.mark.parametrize(
    ("content", "partial", "told"),
    [
        (None, False, "no such file"),
        (b"not weights", False, "expected a state dict of this Conv2d"),
        ({"other": torch.zeros(1)}, False, "expected a state dict of this Conv2d"),
        ({"other": torch.zeros(1)}, True, "0 that fit"),
    ],
)
def test_unfit_weights_are_refused_by_name(tmp_path: Path, content: Any, partial: bool, told: str) -> None:
    path = tmp_path / "w.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        torch.save(content, path)
    with pytest.raises(InputError) as raised:
        load_weights(nn.Conv2d(1, 2, 3), path, partial=partial)
    assert str(path) in str(raised.value)
    assert told in str(raised.value)


def test_weights_of_which_half_fit_are_taken_and_of_less_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Conv2d(2, 2, 3))
    state = {name: torch.ones_like(value) for name, value in network.state_dict().items() if name.startswith("0.")}
    torch.save(state, tmp_path / "half.pt")
    load_weights(network, tmp_path / "half.pt", partial=True)
    assert torch.equal(network.get_parameter("0.weight"), state["0.weight"])
    assert "loaded 2 tensors; left as initialised: 1.bias, 1.weight" in capsys.readouterr().out
    del state["0.bias"]
    torch.save(state, tmp_path / "less.pt")
    with pytest.raises(InputError, match=r"less\.pt: expected at least half of the network's tensors, got 1 that fit"):
        load_weights(network, tmp_path / "less.pt", partial=True)


def test_fine_tuning_from_an_ensemble_takes_its_first_network(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    members = [nn.Conv2d(1, 2, 3), nn.Conv2d(1, 2, 3)]
    torch.save(ensemble_state([member.state_dict() for member in members]), tmp_path / "both.pt")
    network = initial_weights(nn.Conv2d(1, 2, 3), finetune_from=tmp_path / "both.pt")
    assert torch.equal(network.get_parameter("weight"), members[0].weight)
    assert "loaded 2 tensors; left as initialised: none" in capsys.readouterr().out


def test_without_finetune_from_the_weights_stay_as_initialised() -> None:
    network = nn.Conv2d(1, 2, 3)
    before = network.weight.clone()
    assert torch.equal(initial_weights(network).weight, before)  # type: ignore[arg-type]


def test_a_flipped_bit_and_a_number_that_is_none_are_refused(tmp_path: Path) -> None:
    network = nn.Conv2d(1, 2, 3)
    torch.save(half_state_dict(network), tmp_path / "w.pt")
    content = bytearray((tmp_path / "w.pt").read_bytes())
    content[content.index(network.weight.detach().half().numpy().tobytes())] ^= 1
    (tmp_path / "flipped.pt").write_bytes(content)
    with pytest.raises(InputError, match="is damaged, by its checksum"):
        load_weights(network, tmp_path / "flipped.pt")
    torch.save(half_state_dict(network) | {"bias": torch.tensor([0, torch.nan])}, tmp_path / "nan.pt")
    with pytest.raises(InputError, match="bias holds NaN or Inf"):
        load_weights(network, tmp_path / "nan.pt")
