"""Plans are made without the seconds that measuring takes."""

from collections.abc import Callable
from pathlib import Path

import pytest

from shared.planning import sizing
from shared.planning.command import main

RunCommand = Callable[..., Path]
OPERATIONS = 1e11  # a second, of a step that is not measured in tests


@pytest.fixture
def new_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunCommand:
    """Run the command as `new_bundle NAME --dataset_dir DIR …`; gives the bundle's folder."""
    monkeypatch.setattr(
        sizing, "seconds", lambda network, shape, device: sizing.cost(network, shape).operations / OPERATIONS
    )

    def run(name: str, dataset_dir: Path, *options: str) -> Path:
        bundles = tmp_path / "bundles"
        arguments = ["new_bundle", name, "--dataset_dir", str(dataset_dir), "--bundles_dir", str(bundles), *options]
        monkeypatch.setattr("sys.argv", arguments)
        main()
        return bundles / name

    return run
