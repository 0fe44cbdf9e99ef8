"""The trainings and evaluations that follow a plan, each as a user would run it."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared.errors import InputError
from shared.planning.measures import MOST
from shared.planning.starting import Start

OUTPUTS = "outputs"  # of a bundle, which archives leave out


@dataclass(frozen=True)
class Trained:
    """A network. folder: what its training wrote. split: options by which the cases are drawn, of every config."""

    folder: Path
    split: Mapping[str, float] = field(default_factory=dict)

    @property
    def weights(self) -> Path:
        """The best by the key metric."""
        return self.folder / "model.pt"

    @property
    def evaluation(self) -> Path:
        return self.folder / "validation"


def train(
    bundle: Path,
    dataset_dir: Path,
    name: str = "training",
    *,
    split: Mapping[str, float] | None = None,
    overlay: Path | None = None,
    **options: Any,
) -> Trained:
    """Run train.json of `bundle` on `dataset_dir`, into the folder `name` of its outputs.

    overlay: a config that is laid over it. options: others of train.json.
    Raises InputError where it fails; what it printed says why.
    """
    trained = Trained(bundle / OUTPUTS / name, dict(split or {}))
    files = f"['configs/train.json','{overlay}']" if overlay else "configs/train.json"
    run(bundle, files, {"dataset_dir": dataset_dir, "output_dir": trained.folder, **trained.split, **options})
    return trained


def evaluate(bundle: Path, dataset_dir: Path, trained: Trained, folder: Path | None = None, **options: Any) -> Path:
    """Run evaluate.json on the cases that `trained` was validated on, into `folder`; gives that. Raises as `train`."""
    target = folder or trained.evaluation
    run(bundle, "configs/evaluate.json", {
        "dataset_dir": dataset_dir, "output_dir": target, "part": "validation", "weights": trained.weights,
        "report#task#worst": MOST, **trained.split, **options,
    })  # fmt: skip
    return target


def begun(start: Start | None) -> dict[str, Path]:
    """Options of a training that begins from `start`."""
    return {"finetune_from": start.weights} if start else {}


def arguments_of(config_file: str, options: Mapping[str, Any]) -> list[str]:
    """What a user would type behind `python`, in the folder of a bundle."""
    typed = ["-m", "monai.bundle", "run", "--config_file", config_file]
    return typed + [text for name, value in options.items() for text in (f"--{name}", str(value))]


def run(bundle: Path, config_file: str, options: Mapping[str, Any]) -> None:
    """Run a config in the folder `bundle`, or several over one another, in a process of its own."""
    command = [sys.executable, "-W", "ignore", *arguments_of(config_file, options)]
    done = subprocess.run(command, cwd=bundle, env=dict(os.environ), check=False)
    if done.returncode:
        resumed = " with --resume True" if "train.json" in config_file else ""
        raise InputError(
            bundle, expected="a run that ends well", got=f"exit code {done.returncode}",
            fix=f"see above, then run it again{resumed}: {' '.join(command[1:])}",
        )  # fmt: skip
