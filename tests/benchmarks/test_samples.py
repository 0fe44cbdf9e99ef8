"""Data sets for timing: as many cases as asked for, which the bundles read as they read their samples."""

from pathlib import Path

import pytest

from shared.benchmarks.methods import read_config
from shared.benchmarks.samples import repeated
from shared.images.cases import find_cases
from shared.tasks.registration.cases import PAIRS_FILE, find_pairs

BUNDLES = sorted((Path(__file__).parents[2] / "bundles").glob("*/"))


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda path: path.name)
def test_every_bundles_samples_can_be_repeated(bundle: Path, tmp_path: Path) -> None:
    names = repeated(bundle, read_config(bundle), tmp_path, 7)  # more than any has
    found = find_pairs(tmp_path) if (bundle / "sample_data" / PAIRS_FILE).is_file() else find_cases(tmp_path)
    assert [case["case"] for case in found] == names == [f"sample_{number:04d}" for number in range(7)]
    images = [path for case in found for key, path in case.items() if key != "case"]
    assert images
    assert all(Path(path).is_file() for path in images)
