"""The version of `shared` follows from its content, and from nothing else."""

import shutil
from pathlib import Path

import pytest

import shared
from shared.bundle import check_package
from shared.errors import InputError
from shared.version import package_files, version_of
from shared.zoo.archives import unpack
from shared.zoo.packing import pack

PACKAGE = Path(shared.__file__).parent


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A copy of shared/ beside which bundles could lie."""
    return shutil.copytree(PACKAGE, tmp_path / "shared", ignore=shutil.ignore_patterns("__pycache__"))


def test_a_checkout_and_its_archive_are_of_one_version(root: Path, tmp_path: Path) -> None:
    bundle = root / "bundles" / "membrane_em_segmentation"
    unpacked = unpack(pack(bundle, tmp_path / "dist"), tmp_path)
    assert version_of(unpacked / "shared") == shared.__version__
    assert len(shared.__version__) == 12
    with pytest.raises(AttributeError, match="no attribute 'other'"):
        _ = shared.other


@pytest.mark.parametrize("name", ["files.py", "export/support.json", "nets/new.py"])
def test_another_byte_is_another_version(copied: Path, name: str) -> None:
    with (copied / name).open("a", encoding="utf-8") as file:
        file.write(" ")
    assert version_of(copied) != shared.__version__


@pytest.mark.parametrize(
    "name", ["studies/nodeo.py", "benchmarks/new.py", "nets/__pycache__/a.py", "nets/._yolo.py", "notes.txt"]
)
def test_what_archives_do_not_carry_is_no_part_of_it(copied: Path, name: str) -> None:
    (copied / name).parent.mkdir(exist_ok=True)
    (copied / name).write_text("x", encoding="utf-8")
    assert version_of(copied) == shared.__version__
    assert name not in package_files(copied)


@pytest.mark.parametrize("place", [".", "bundles/spot"], ids=["archive", "checkout"])
def test_a_bundle_with_another_version_beside_it_is_refused(copied: Path, tmp_path: Path, place: str) -> None:
    bundle_root = tmp_path / place
    bundle_root.mkdir(parents=True, exist_ok=True)
    check_package(bundle_root)  # the same content, elsewhere
    (copied / "files.py").write_text("", encoding="utf-8")
    versions = f"version {version_of(copied)}, in {copied}, got version {shared.__version__}, imported from {PACKAGE}"
    with pytest.raises(InputError) as raised:
        check_package(bundle_root)
    assert str(raised.value) == f"shared: expected {versions}; run each bundle in its own process"
    (copied / "bundle.py").unlink()  # now it is some folder called shared
    check_package(bundle_root)
