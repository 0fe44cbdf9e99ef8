"""The weights that a training begins from: those of the nearest of our bundles, or of another one of its kind."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.engine.recipe import Part
from shared.engine.weights import weight_file
from shared.errors import InputError
from shared.places import checkout
from shared.zoo.configs import load_recipe

AUTO, NONE = "auto", "none"
# By task: for detection it was measured to help (docs/new_bundle.md).
NEAREST = {"detection": "blood_cell_yolo_detection", "instances": "nuclei_maskrcnn_instance_segmentation"}


@dataclass(frozen=True)
class Start:
    """weights: the file of the bundle `name`. filters, anchor_sizes: of the network that they are of."""

    name: str
    weights: Path
    filters: Sequence[int]
    anchor_sizes: Sequence[Sequence[int]] = ()


def start_of(text: str, task: str) -> Start | None:
    """text: AUTO, the NEAREST bundle, if it is there with its weights; NONE; or the name of a bundle of the checkout.

    None where a training begins from scratch.
    Raises InputError for a bundle that is not there, has no weights, or has another network than the NEAREST one.
    """
    bundles = checkout() / "bundles"
    if text == NONE or (text == AUTO and not (task in NEAREST and _weights(bundles / NEAREST[task]).is_file())):
        return None
    name = NEAREST[task] if text == AUTO else text
    if task not in NEAREST or _network(bundles / name)["_target_"] != _network(bundles / NEAREST[task])["_target_"]:
        raise InputError(
            "--start", expected=f"a bundle that begins one for {task}", got=text, fix=f"give {AUTO} or {NONE}"
        )
    network = _network(bundles / name)
    weights = weight_file(_weights(bundles / name))
    return Start(name, weights, network["filters"], network.get("anchor_sizes", ()))


def _network(bundle: Path) -> Part:
    """The network_def of a bundle, without channels. Raises InputError where it is not there."""
    network: Part = load_recipe(bundle / "recipe.py").RECIPE.network
    return network


def _weights(bundle: Path) -> Path:
    return bundle / "models" / "model.pt"


def width_by(start: Start | None) -> str:
    """Why a network is as wide as it is; "" where that was not concluded from `start`."""
    return f"the network of {start.name}, whose weights it begins from" if start else ""
