"""A recipe that is written is Python that means the plan, as short as one by hand, and formatted."""

import subprocess
import sys
from pathlib import Path

import pytest

from shared.engine.recipe import component
from shared.planning.planned import Planned
from shared.planning.recipe_text import recipe_text
from shared.planning.segmentation_augmenting import Views, augmentation
from shared.zoo.configs import load_recipe
from tests.running import ROOT

NAMES = ["background", *(f"structure_number_{number}" for number in range(60))]
NETWORK = component("Net", spatial_dims=3, filters=[8, 16], strides=[[2, 2, 1]] * 8, kernels=[[3, 3, 3]] * 9)
ARGUMENTS = {
    "descriptions": dict.fromkeys(("inference", "evaluate", "train"), 'Find "it", or a thing\'s place.'),
    "network": NETWORK,
    "grid": {"roi_size": [64, 64, 64], "pixdim": [1.0, 1.0, 1.0]},
    "tiling": {"overlap": 0.5, "flip_axes": []},
    "flips": {},
    "training_options": {"max_epochs": 3, "patch_size": [64, 64, 64]},
    "augmentation": {"margin_size": "$[1]"},
    "loss": component("DiceCELoss", softmax=True),
    "key_metric": {},
    "patient": r"(.*\d)[/_\-. ][^/_\-. ]+",
}


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    changes = augmentation(Views([64] * 3, [200] * 3, [1.0] * 3, NAMES))
    planned = Planned(
        task="segmentation", recipe="shared.tasks.segmentation.recipe.Segmentation",
        lists={"class_names": NAMES, "label_values": [], "augmentation": changes}, arguments=ARGUMENTS,
        meanings={"flip_axes": '`"[0]"` flips'}, findings=[], described={}, samples=[], step_seconds=1.0,
    )  # fmt: skip
    path = tmp_path / "bundle" / "recipe.py"
    path.parent.mkdir()
    path.write_text(recipe_text(planned, "Many structures"), encoding="utf-8")
    return path


def test_it_says_what_was_planned(recipe: Path) -> None:
    module = load_recipe(recipe)
    assert module.RECIPE.class_names == NAMES
    assert module.RECIPE.network == NETWORK
    assert module.RECIPE.patient == ARGUMENTS["patient"]
    assert module.RECIPE.augmentation.keys() == {"margin_size", "augmentation"}
    assert module.OPTIONS == {"flip_axes": '`"[0]"` flips'}
    assert module.RECIPE.configs().keys() == {"inference", "evaluate", "explain", "train", "multi_gpu_train"}


def test_it_is_no_longer_than_recipes_by_hand_and_formatted_as_they_are(recipe: Path) -> None:
    text = recipe.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 90
    command = [sys.executable, "-m", "ruff", "format", "--diff", "--config", str(ROOT / "pyproject.toml"), str(recipe)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
