"""Plans are made without the seconds that measuring takes; what follows them runs in this process, and is short."""

import ast
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from shared.planning import segmentation_plan, sizing, training
from shared.planning.command import main
from tests.running import run_here

RunCommand = Callable[..., Path]
Runs = list[dict[str, Any]]
RunHere = Callable[..., Runs]
SECONDS = 1e-8  # a voxel and filter of a step, which is not measured in tests


@pytest.fixture
def new_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunCommand:
    """Run the command as `new_bundle NAME --dataset_dir DIR …`; gives the bundle's folder."""
    monkeypatch.setattr(sizing, "seconds", lambda net, shape, _: SECONDS * math.prod(shape) * net["filters"][0])
    monkeypatch.setattr(segmentation_plan, "sampling_seconds", lambda *_: 0.0)
    monkeypatch.setattr(segmentation_plan, "loss_seconds", lambda *_: 0.0)

    def run(name: str, dataset_dir: Path, *options: str) -> Path:
        bundles = tmp_path / "bundles"
        arguments = ["new_bundle", name, "--dataset_dir", str(dataset_dir), "--bundles_dir", str(bundles), *options]
        monkeypatch.setattr("sys.argv", arguments)
        main()
        return bundles / name

    return run


@pytest.fixture
def runs_here(monkeypatch: pytest.MonkeyPatch) -> RunHere:
    """Have the trainings and evaluations run here, with other options by config; gives what was to run, in order."""

    def use(**changed: Mapping[str, Any]) -> Runs:
        runs: Runs = []

        def run(bundle: Path, config_file: str, options: Mapping[str, Any]) -> None:
            files = ast.literal_eval(config_file) if config_file.startswith("[") else [config_file]
            name = Path(files[0]).stem
            runs.append({"config": name, **options})
            values = {**options, **changed.get(name, {}), **({"overlay": Path(files[1])} if len(files) > 1 else {})}
            run_here(bundle, values.pop("output_dir"), name, **values)

        monkeypatch.setattr(training, "run", run)
        return runs

    return use
