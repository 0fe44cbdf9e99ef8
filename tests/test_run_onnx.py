"""What the command without torch refuses, in one line. Its results: tests/export/test_bundles_in_onnx.py."""

import json
import re
import shutil
from pathlib import Path

import onnx
import pytest
from onnx import helper, parser

from shared.errors import InputError
from shared.files import sha256_of
from shared.run_onnx import infer, main
from tests.running import ROOT

CELLS = ROOT / "bundles" / "blood_cell_yolo_detection"
IMAGES = str(CELLS / "sample_data")
NONE_FOUND = """found (float[b, 3, h, w] image) => (float[1, 7, 1] pred) {
    pred = Constant<value = float[1, 7, 1] {0, 0, 1, 1, 0, 0, 0}>() }"""


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """The cells' bundle with an ONNX file of its weights, which finds nothing."""
    folder = tmp_path / CELLS.name
    for name in ("configs", "models"):
        shutil.copytree(CELLS / name, folder / name, ignore=shutil.ignore_patterns("*.onnx"))
    version = json.loads((folder / "configs" / "metadata.json").read_text(encoding="utf-8"))["version"]
    write(folder, weights_sha256=sha256_of(folder / "models" / "model.pt"), version=version, form="raw")
    return folder


def write(bundle: Path, **properties: str) -> None:
    model = parser.parse_model(f'<ir_version: 10, opset_import: ["" : 20]>\n{NONE_FOUND}')
    helper.set_model_props(model, properties)
    onnx.save(model, bundle / "models" / "model.onnx")


def test_each_image_has_its_files_and_a_bad_one_a_row(bundle: Path, tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for name in ("a", "b"):
        shutil.copy(next((CELLS / "sample_data" / "JPEGImages").iterdir()), images / f"{name}.jpg")
    (images / "b.jpg").write_bytes((images / "a.jpg").read_bytes()[:900])
    with pytest.raises(InputError, match="got 1 of 2 failed"):
        infer(bundle, str(images), str(tmp_path / "out"))
    rows = (tmp_path / "out" / "summary.csv").read_text(encoding="utf-8").splitlines()
    assert re.match(r"a,ok,[\d.]+,,0,0,0,", rows[1])
    assert re.match(r'b,failed,[\d.]+,"?[^,]*b\.jpg: expected', rows[2])
    assert json.loads((tmp_path / "out" / "a.json").read_text(encoding="utf-8"))["boxes"] == []


def test_a_missing_file_and_one_of_other_weights_name_the_command(bundle: Path, tmp_path: Path) -> None:
    write(bundle, weights_sha256="of others", version="0.1.0", form="raw")
    command = "run `python scripts/export_onnx.py blood_cell_yolo_detection` once"
    with pytest.raises(InputError, match=rf"the ONNX file of model\.pt, got one of others; {command}"):
        infer(bundle, IMAGES, str(tmp_path / "out"))
    (bundle / "models" / "model.onnx").unlink()
    with pytest.raises(InputError, match=rf"the ONNX file of model\.pt, got none; {command}"):
        infer(bundle, IMAGES, str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["hippocampus_mr_segmentation", "brain_mr_voxelmorph_registration"])
def test_a_bundle_whose_steps_need_torch_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["run_onnx", name, IMAGES])
    with pytest.raises(InputError, match=f"{name}: expected a detection .* inference.json with --runtime onnx"):
        main()


def test_another_preprocessing_than_the_zoos_is_refused(bundle: Path, tmp_path: Path) -> None:
    path = bundle / "configs" / "inference.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["preprocessing"]["transforms"].append({"_target_": "GaussianSmoothd", "keys": "image"})
    path.write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(InputError, match="got one whose steps need torch"):
        infer(bundle, IMAGES, str(tmp_path / "out"))
