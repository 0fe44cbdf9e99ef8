"""Every bundle that has an explain.json explains what it finds in one of its samples."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared.files import read_table
from tests.running import run_here
from tests.small import config_of

ROOT = Path(__file__).parents[2]
BUNDLES = sorted(path.parents[1] for path in ROOT.glob("bundles/*/configs/explain.json"))
IMAGES = ("imagesTr", "images", "JPEGImages")
QUICK = "blood_cell_yolo_detection"  # the others take 6 s, brains minutes
each_bundle = pytest.mark.parametrize(
    "bundle", [pytest.param(b, id=b.name, marks=[] if b.name == QUICK else [pytest.mark.slow]) for b in BUNDLES]
)
EPSILON = 0.02  # of the range


@each_bundle
def test_a_sample_is_explained_in_a_picture_a_row_and_a_curve(bundle: Path, tmp_path: Path) -> None:
    folder = next(bundle / "sample_data" / name for name in IMAGES if (bundle / "sample_data" / name).is_dir())
    smallest = min(folder.iterdir(), key=lambda path: path.stat().st_size)
    out = run_here(
        bundle, tmp_path / "out", "explain", dataset_dir=smallest, samples=1, patches=2, epsilons=[0.0, EPSILON]
    )
    (row,) = read_table(out / "summary.csv")
    assert row["status"] == "ok", row["message"]
    assert row["class"] in config_of(bundle, "explain")["class_names"]
    assert (float(row["fgsm_0"]), float(row["noise_0"])) == (1, 1)
    # By as much against the evidence as at random, every network's answer moves, and further.
    assert float(row[f"fgsm_{EPSILON}"]) < min(1, float(row[f"noise_{EPSILON}"]) + 1e-9)
    picture = np.asarray(Image.open(out / f"{row['case']}.png").convert("RGB")).astype(int)
    heats = picture[:, picture.shape[1] // 4 :]  # beside the view; a map is black, red, yellow and white
    assert (np.ptp(heats, axis=-1) > 100).any()
    assert (out / "robustness.png").is_file()
