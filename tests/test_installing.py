"""`pip install` brings one package of a name of its own, through which `shared` is imported, and the commands."""

import os
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import distributions
from pathlib import Path

import pytest

import shared
from shared.version import package_files

pytest.importorskip("setuptools", minversion="77")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What site-packages gets from a wheel of this checkout."""
    source, folder = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("site")
    root = Path(shared.__file__).parents[1]
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(root / name, source)
    for name in ("monai_bundle_zoo", "shared"):
        shutil.copytree(root / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        str(source),
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(source),
    ]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = source.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def python(installed: Path, cwd: Path, code: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


def test_a_wheel_puts_all_of_shared_into_one_package(installed: Path) -> None:
    (name,) = (path.name for path in installed.iterdir() if path.suffix != ".dist-info")
    assert name == "monai_bundle_zoo"
    package = Path(shared.__file__).parent
    assert package_files(installed / name / "shared") == package_files(package)
    assert (installed / name / "shared" / "studies" / "nodeo.py").is_file()


def test_shared_can_be_imported_after_the_package_even_beside_a_folder_of_its_name(
    installed: Path, tmp_path: Path
) -> None:
    (tmp_path / "shared").mkdir()
    done = python(installed, tmp_path, "import monai_bundle_zoo, shared.errors; print(shared.errors.__file__)")
    assert done.stdout.strip() == str(installed / "monai_bundle_zoo" / "shared" / "errors.py"), done.stderr


@pytest.mark.parametrize(
    ("command", "arguments", "line"),
    [
        ("monai-bundle-zoo", ["verify", "gone_v1.zip"], "gone_v1.zip: expected an archive, got no such file"),
        ("monai-bundle-zoo", ["list"], "--index: expected where the bundles are, got no "),
        ("monai-bundle-zoo", ["pack", "gone"], "gone: expected a bundle of the index, got one it does not know"),
        ("monai-bundle-export", ["gone"], "error: gone: expected a bundle, got no configs/inference.json in it; give "),
    ],
)
def test_its_commands_run_away_from_a_checkout(
    installed: Path, tmp_path: Path, command: str, arguments: list[str], line: str
) -> None:
    (distribution,) = distributions(path=[str(installed)])
    (entry,) = distribution.entry_points.select(group="console_scripts", name=command)
    code = f"import sys; sys.argv = {[command, *arguments]}; from {entry.module} import {entry.attr} as f; f()"
    done = python(installed, tmp_path, code)
    assert done.returncode == 1
    assert line in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
