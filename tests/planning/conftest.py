"""Plans are made without the seconds that measuring takes."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.planning import sizing
from shared.planning.command import main

RunCommand = Callable[..., Path]
SECONDS = 1e-8  # a voxel and filter of a step, which is not measured in tests


@pytest.fixture
def new_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunCommand:
    """Run the command as `new_bundle NAME --dataset_dir DIR …`; gives the bundle's folder."""
    monkeypatch.setattr(sizing, "seconds", lambda net, shape, _: SECONDS * math.prod(shape) * net["filters"][0])

    def run(name: str, dataset_dir: Path, *options: str) -> Path:
        bundles = tmp_path / "bundles"
        arguments = ["new_bundle", name, "--dataset_dir", str(dataset_dir), "--bundles_dir", str(bundles), *options]
        monkeypatch.setattr("sys.argv", arguments)
        main()
        return bundles / name

    return run
