"""The training that follows a plan."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from shared.errors import InputError
from shared.planning.starting import Start


def command(dataset_dir: Path, start: Start | None) -> list[str]:
    """What a user would type in the bundle's folder, after `python`."""
    begun = ["--finetune_from", str(start.weights)] if start else []
    run = ["-m", "monai.bundle", "run", "--config_file", "configs/train.json", "--dataset_dir", str(dataset_dir)]
    return run + begun


def train(bundle: Path, dataset_dir: Path, start: Start | None = None) -> Path:
    """Run train.json of `bundle` on `dataset_dir`, as a user would; gives models/model.pt, the best of its networks.

    Raises InputError where it fails; what it printed says why.
    """
    output_dir = bundle / "outputs" / "training"
    typed = [sys.executable, "-W", "ignore", *command(dataset_dir, start), "--output_dir", str(output_dir)]
    done = subprocess.run(typed, cwd=bundle, env=dict(os.environ), check=False)
    if done.returncode:
        raise InputError(
            bundle, expected="a training that ends well", got=f"exit code {done.returncode}",
            fix=f"see above, then run it again with --resume True: {' '.join(typed[1:])}",
        )  # fmt: skip
    return Path(shutil.copy(output_dir / "model.pt", bundle / "models" / "model.pt"))
