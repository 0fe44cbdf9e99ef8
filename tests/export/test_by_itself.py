"""An ONNX file tells by itself how to use it: a script that knows nothing else gives the bundle's results."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import nn

from shared.door import open_bundle
from shared.engine.forms import Form
from shared.export.properties import described
from shared.images.reading import read_image
from tests.running import ROOT

SCRIPT = ROOT / "docs" / "onnx_by_itself.py"
METADATA = {"network_data_format": {"outputs": {"pred": {"channel_def": {"0": "cell"}}}}}
CONFIG = {
    "class_names": ["cell"],
    "pixdim": [1.0, 2.0],
    "twice": True,
    "preprocessing": {"_target_": "Compose", "_requires_": ["@start"], "transforms": [{"pixdim": "@pixdim"}]},
    "inferer": {"axes": "$[0, 1] if @twice else []", "inferer": {"_target_": "SimpleInferer"}, "device": "@device"},
    "device": "$torch.device('cpu')",
    "postprocessing": {"_target_": "Invertd", "transform": "@preprocessing"},
}


def test_no_property_refers_to_anything_that_the_file_does_not_hold() -> None:
    properties = {name: json.loads(text) for name, text in described(CONFIG, METADATA, Form(nn.Identity())).items()}
    assert properties == {
        "classes": ["cell"],
        "preprocessing": [{"pixdim": [1.0, 2.0]}],
        "inferer": {"axes": [0, 1], "inferer": {"_target_": "SimpleInferer"}, "device": "cpu"},
        "postprocessing": {"_target_": "Invertd", "transform": "preprocessing"},
        "outputs": {"pred": {"0": "cell"}},
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", ["hippocampus_mr_segmentation", "membrane_em_segmentation"])
def test_the_script_segments_as_the_bundle_does_to_the_voxel(name: str, tmp_path: Path) -> None:
    bundle, script = _exported(name, tmp_path)
    for path in _images(bundle.root):
        output = tmp_path / f"out{''.join(path.suffixes)}"
        subprocess.run([sys.executable, *script, path, output], check=True, cwd=tmp_path)
        found, expected = read_image(output, as_ids=True), bundle.predict(path)
        np.testing.assert_array_equal(found.values[0], expected.labels)
        np.testing.assert_allclose(found.affine, expected.affine, atol=1e-5)
        assert expected.labels.any()


@pytest.mark.slow
def test_the_script_detects_as_the_bundle_does_to_the_box(tmp_path: Path) -> None:
    bundle, script = _exported("blood_cell_yolo_detection", tmp_path, bfloat16=False)
    for path in _images(bundle.root):
        subprocess.run([sys.executable, *script, path, tmp_path / "out.json"], check=True, cwd=tmp_path)
        found = np.array(json.loads((tmp_path / "out.json").read_text()))
        expected = bundle.predict(path).objects
        assert len(found) == len(expected) > 10
        order = [np.lexsort(rows[:, [0, 1, 4]].round(2).T) for rows in (found, expected)]
        np.testing.assert_allclose(found[order[0]], expected[order[1]], atol=0.02)  # pixels: the last digits differ


def _exported(name: str, folder: Path, **options: Any) -> tuple[Any, list[Any]]:
    """A bundle that runs in onnxruntime, in a folder of its own, and the script's command with its file."""
    root = folder / name
    shutil.copytree(ROOT / "bundles" / name, root, ignore=shutil.ignore_patterns("*.onnx"))
    bundle = open_bundle(root, device="cpu", runtime="onnx", **options)
    bundle.predict(_images(root)[0])  # which exports it
    return bundle, ["-I", SCRIPT, root / "models" / "model.onnx"]


def _images(root: Path) -> list[Path]:
    folders = ("imagesTr", "images", "JPEGImages")
    return sorted(path for name in folders for path in (root / "sample_data" / name).glob("*.*"))[:2]
