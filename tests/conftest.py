"""What several tests need: the folders of the project, and synthetic data of a known truth."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

ROOT = Path(__file__).parents[1]


def pytest_configure(config: pytest.Config) -> None:
    """Before torch is imported: a thread for each of `-n` workers, who inherit this. More would wait for each other."""
    os.environ.setdefault("OMP_NUM_THREADS", "1" if config.getoption("numprocesses", None) else "2")


@pytest.fixture
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture
def run_bundle(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess]:
    """Run a bundle's config in a process of its own, as a user types it, with nothing of this checkout on the path."""

    def run(bundle: Path, config: str, *, cwd: Path = tmp_path, **options: object) -> subprocess.CompletedProcess:
        command = [sys.executable, "-W", "ignore", "-m", "monai.bundle", "run"]
        for name, value in {"config_file": bundle / "configs" / f"{config}.json", **options}.items():
            command += [f"--{name}", str(value)]
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)

    return run


@pytest.fixture
def phantom_dataset() -> Callable[..., Path]:
    """Make a data set of two bright ellipsoids, touching like the parts of a hippocampus, in the Decathlon's layout.

    With a `shape` of two sizes they are ellipses in PNG files, in images/ and labels/. Where `num_classes` is 2 both
    are class 1.
    """

    def make(folder: Path, count: int = 4, shape: tuple[int, ...] = (20, 24, 18), num_classes: int = 3) -> Path:
        dims = len(shape)
        parts = ("imagesTr", "labelsTr") if dims == 3 else ("images", "labels")
        for part in parts:
            (folder / part).mkdir(parents=True)
        rng = np.random.default_rng(0)
        grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, s) for s in shape), indexing="ij"))
        column = (dims, *[1] * dims)
        for number in range(count):
            centre = rng.uniform(-0.1, 0.1, column)
            inside = (((grid - centre) / np.array([0.45, 0.7, 0.45][:dims]).reshape(column)) ** 2).sum(axis=0) < 1
            halves = np.where(inside, np.where(grid[1] > centre[1], 1, 2), 0)
            label = np.minimum(halves, num_classes - 1).astype(np.uint8)
            image = 100 * label + rng.normal(0, 10, shape) + 50
            arrays: tuple[np.ndarray, np.ndarray] = (image.astype(np.float32), label)
            for part, array in zip(parts, arrays):
                if dims == 3:
                    nib.save(nib.Nifti1Image(array, np.eye(4)), folder / part / f"case_{number}.nii.gz")
                else:
                    Image.fromarray(array.clip(0, 255).astype(np.uint8)).save(folder / part / f"case_{number}.png")
        return folder

    return make


@pytest.fixture
def boxed_dataset() -> Callable[..., Path]:
    """Make a data set of bright and dark squares in PASCAL VOC's layout; image 0 has none."""

    def make(folder: Path, count: int, class_names: Sequence[str], size: tuple[int, int] = (60, 80)) -> Path:
        for part in ("JPEGImages", "Annotations"):
            (folder / part).mkdir(parents=True)
        rng = np.random.default_rng(0)
        for number in range(count):
            image, objects = rng.normal(120, 5, (*size, 3)), ""
            for place in range(min(number, 3)):
                y, x = rng.integers(2, size[0] - 22), rng.integers(2, size[1] - 22)
                image[y : y + 20, x : x + 20] = 255 * (place % 2)
                box = f"<xmin>{x}</xmin><ymin>{y}</ymin><xmax>{x + 20}</xmax><ymax>{y + 20}</ymax>"
                objects += f"<object><name>{class_names[place % 2]}</name><bndbox>{box}</bndbox></object>"
            Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(folder / "JPEGImages" / f"im_{number}.png")
            text = f"<annotation><filename>im_{number}.png</filename>{objects}</annotation>"
            (folder / "Annotations" / f"im_{number}.xml").write_text(text, encoding="utf-8")
        return folder

    return make


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Every figure that is saved, besides its file."""
    saved: list[Figure] = []
    save = Figure.savefig

    def keep(self: Figure, *args: Any, **kwargs: Any) -> None:
        saved.append(self)
        save(self, *args, **kwargs)

    monkeypatch.setattr(Figure, "savefig", keep)
    return saved
