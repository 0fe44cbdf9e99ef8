"""State dicts in and out of networks."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from monai.networks import copy_model_state
from torch import Tensor, nn

from shared.errors import InputError, one_line
from shared.nets.ensemble import first_member


def half_state_dict(model: nn.Module) -> dict[str, Tensor]:
    """The state dict of `model` on the CPU with its floating-point tensors in half precision."""
    return {
        name: (value.half() if value.is_floating_point() else value).cpu().contiguous()
        for name, value in model.state_dict().items()
    }


def load_weights(network: nn.Module, path: str | Path, *, partial: bool = False) -> nn.Module:
    """Load a state dict into `network` and return it.

    partial: take only what fits in name and shape, and print what did not, as fine-tuning to other classes needs;
    at least half of the network's tensors must fit. Of an ensemble's file its first network is taken.
    Raises InputError for a missing or unfitting file.
    """
    path = weight_file(path)
    device = next(network.parameters()).device
    try:
        check_sums(path)
        state = torch.load(path, map_location=device, weights_only=True)
        check_finite(state)
        wanted = network.state_dict()
        if partial:
            state = first_member(state)
        state = {name: value.to(wanted.get(name, value).dtype) for name, value in state.items()}
        if not partial:
            network.load_state_dict(state)
            return network
    except Exception as error:  # truncated, another network, not a state dict: torch raises many kinds
        raise InputError(
            path, expected=f"a state dict of this {type(network).__name__}", got=one_line(error)[:200],
            fix="check the file, or give the --network or network_def that it was trained with",
        ) from error  # fmt: skip
    _, loaded, left = copy_model_state(network, state)
    if len(loaded) < len(left):
        raise InputError(
            path, expected="at least half of the network's tensors", got=f"{len(loaded)} that fit",
            fix="give the weights of a like network",
        )  # fmt: skip
    print(f"{path}: loaded {len(loaded)} tensors; left as initialised: {', '.join(left) or 'none'}")
    return network


def check_sums(path: Path) -> None:
    """Raise ValueError where a part of a torch file, which is a zip, is not what its checksum says; torch checks none.

    Files of the format before it have no checksums.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged:
            raise ValueError(f"{damaged} is damaged, by its checksum")


def check_finite(state: Mapping[str, Tensor]) -> None:
    """Raise ValueError where a tensor holds NaN or Inf, of which every result would.

    A sum does where a term does, and in float64 it does not overflow; it takes one pass and no memory.
    """
    for name, tensor in state.items():
        if tensor.is_floating_point() and not bool(tensor.sum(dtype=torch.float64).isfinite()):
            raise ValueError(f"{name} holds NaN or Inf")


def weight_file(path: str | Path) -> Path:
    """`path`. Raises InputError where there is no such file."""
    if not Path(path).is_file():
        raise InputError(
            path, expected="a weight file", got="no such file", fix="train the bundle, or download it with its weights"
        )
    return Path(path)


def initial_weights(
    network: nn.Module, *, finetune_from: str | Path | None = None, pretrained: str | Path = ""
) -> nn.Module:
    """`network` as it is, or with the weights of the file `finetune_from`; "pretrained" names the bundle's own."""
    if finetune_from in (None, ""):
        return network
    return load_weights(network, pretrained if finetune_from == "pretrained" else finetune_from, partial=True)
