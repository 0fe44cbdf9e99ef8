"""A new bundle of a known task is a folder with recipe, card, weights and samples; the command writes the rest."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser

from shared.engine.weights import half_state_dict
from shared.errors import InputError
from shared.files import read_table
from shared.zoo import generated
from tests.running import read_picture, run_here

ROOT = Path(__file__).parents[2]
NEAREST = ROOT / "bundles" / "membrane_em_segmentation"
CHANGED = {
    'class_names=["membrane", "inside"]': 'class_names=["background", "wall", "lumen"]',
    "label_values=[0, 255]": "label_values=[0, 128, 255]",
    "filters=[16, 32, 64, 128, 256]": "filters=[4, 8]",
    '"roi_size": [512, 512]': '"roi_size": [64, 64]',
}


@pytest.fixture
def new_bundle(tmp_path: Path) -> Path:
    """In a checkout of its own, copied from the nearest bundle without its configs and weights."""
    for name in ("README.md", "constraints.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    bundle = tmp_path / "bundles" / "vessel_em_segmentation"
    shutil.copytree(NEAREST, bundle, ignore=shutil.ignore_patterns("[ite]*.json", "multi*.json", "*.pt", "__pycache__"))
    recipe = bundle / "recipe.py"
    text = recipe.read_text(encoding="utf-8")
    for old, new in CHANGED.items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    recipe.write_text(text, encoding="utf-8")
    return bundle


def test_recipe_card_weights_and_samples_are_a_bundle_that_runs(new_bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"model\.pt: expected the weights of the bundle"):
        list(generated.write(tmp_path))
    parser = ConfigParser(json.loads((new_bundle / "configs" / "train.json").read_text(encoding="utf-8")))
    torch.manual_seed(0)  # an untrained network, of which the labels mean nothing
    (new_bundle / "models").mkdir(exist_ok=True)
    torch.save(half_state_dict(parser.get_parsed_content("network_def")), new_bundle / "models" / "model.pt")
    assert list(generated.write(tmp_path)) == [tmp_path / "README.md"]
    assert generated.faults(tmp_path) == []
    begin = "| [vessel_em_segmentation](bundles/vessel_em_segmentation/docs/README.md) | "
    assert begin in (tmp_path / "README.md").read_text(encoding="utf-8")
    card = (new_bundle / "docs" / "README.md").read_text(encoding="utf-8")
    assert 'open_bundle("vessel_em_segmentation").predict("image.png")' in card
    assert '| `--class_names` | `["background", "wall", "lumen"]` |' in card

    out = run_here(new_bundle, tmp_path / "out")
    rows = read_table(out / "summary.csv")
    assert [row["status"] for row in rows] == ["ok"] * len(list((new_bundle / "sample_data" / "images").iterdir()))
    assert {"wall_px", "lumen_px"} <= rows[0].keys()
    for row in rows:
        assert set(np.unique(read_picture(out / f"{row['case']}.png"))) <= {0, 1, 2}
