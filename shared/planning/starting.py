"""The weights that a training begins from: those of the nearest of our bundles, or of another one of its kind."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.engine.weights import weight_file
from shared.errors import InputError
from shared.places import checkout
from shared.zoo.configs import load_recipe

AUTO, NONE = "auto", "none"
# By task, where it was measured to help (docs/new_bundle.md).
NEAREST = {"detection": "blood_cell_yolo_detection", "instances": "nuclei_maskrcnn_instance_segmentation"}


@dataclass(frozen=True)
class Start:
    """weights: the file of the bundle `name`. filters, anchor_sizes: of the network that they are of."""

    name: str
    weights: Path
    filters: Sequence[int]
    anchor_sizes: Sequence[Sequence[int]] = ()


def start_of(text: str, task: str, bundles_dir: Path | None = None) -> Start | None:
    """text: AUTO, the nearest bundle that has weights; NONE; or the name of a bundle. None where nothing is known.

    Raises InputError for a bundle that is not there, has no weights or is of another task.
    """
    nearest = NEAREST.get(task)
    if text == NONE or (text == AUTO and nearest is None):
        return None
    folder = (bundles_dir or checkout() / "bundles") / (nearest if text == AUTO and nearest else text)
    weights = folder / "models" / "model.pt"
    if text == AUTO and not weights.is_file():
        return None
    network = load_recipe(folder / "recipe.py").RECIPE.network if nearest else {}
    own = load_recipe(checkout() / "bundles" / nearest / "recipe.py").RECIPE.network if nearest else {}
    if not network or network["_target_"] != own["_target_"]:
        raise InputError(
            "--start", expected=f"a bundle that begins one for {task}", got=text, fix=f"give {AUTO} or {NONE}"
        )
    return Start(folder.name, weight_file(weights), network["filters"], network.get("anchor_sizes", ()))


def width_by(start: Start | None) -> str:
    """Why a network is as wide as it is; "" where that was not concluded from `start`."""
    return f"the network of {start.name}, whose weights it begins from" if start else ""
