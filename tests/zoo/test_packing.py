"""An archive has what its bundle needs and nothing else, and the same input gives the same bytes."""

import os
import re
import shutil
import zipfile
from pathlib import Path

import pytest

from shared.errors import InputError
from shared.zoo.archives import checked_members
from shared.zoo.needed import imported_packages, needed_files
from shared.zoo.packing import archive_contents, left_out, pack
from shared.zoo.verifying import verify

ROOT = Path(__file__).parents[2]
BUNDLES = sorted(path for path in (ROOT / "bundles").iterdir() if path.is_dir())
each_bundle = pytest.mark.parametrize("real", BUNDLES, ids=[bundle.name for bundle in BUNDLES])


def test_an_archive_holds_the_bundle_and_the_parts_of_shared_that_it_needs(bundle: Path, tmp_path: Path) -> None:
    archive = pack(bundle, tmp_path / "dist")
    assert archive.name == "spot_xr_segmentation_v0.1.0.zip"
    names = {member.filename.removeprefix("spot_xr_segmentation/") for member in checked_members(archive)}
    own = {path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file()}
    needed = {
        f"shared/{name}.py" for name in ("__init__", "nets/__init__", "nets/spot", "layers/__init__", "layers/dot")
    }
    assert names == own | needed | {"requirements.txt"}


def test_the_same_input_gives_the_same_bytes_wherever_and_whenever_it_lies(bundle: Path, tmp_path: Path) -> None:
    first = pack(bundle, tmp_path / "first").read_bytes()
    copied = shutil.copytree(bundle.parents[1], tmp_path / "elsewhere", copy_function=shutil.copyfile)
    for number, path in enumerate(sorted(copied.rglob("*"), reverse=True)):
        os.utime(path, (10**9 + number, 10**9 + number))
        path.chmod(0o755)
    assert pack(copied / "bundles" / bundle.name, tmp_path / "second").read_bytes() == first
    (bundle / "docs" / "README.md").write_text("other", encoding="utf-8")
    assert pack(bundle, tmp_path / "third").read_bytes() != first


def test_entries_are_plain_files_of_one_moment_and_not_compressed(bundle: Path, tmp_path: Path) -> None:
    """Compressors differ between machines, and so would the archive."""
    with zipfile.ZipFile(pack(bundle, tmp_path)) as archive:
        members = archive.infolist()
    assert [member.filename for member in members] == sorted(member.filename for member in members)
    kinds = {(m.date_time, m.external_attr >> 16, m.create_system, m.compress_type) for m in members}
    assert kinds == {((1980, 1, 1, 0, 0, 0), 0o100644, 3, zipfile.ZIP_STORED)}


def test_results_caches_and_hidden_files_stay_at_home(bundle: Path) -> None:
    before = set(archive_contents(bundle))
    for name in ("outputs/patient.png", "docs/__pycache__/a.pyc", "models/.part", "sample_data/.DS_Store", "mine.txt"):
        (bundle / name).parent.mkdir(exist_ok=True)
        (bundle / name).write_text("x", encoding="utf-8")
    assert set(archive_contents(bundle)) == before
    assert left_out(bundle) == ["mine.txt", "outputs"]


def test_an_onnx_file_goes_along_when_asked_for_and_must_then_be_there(bundle: Path) -> None:
    with pytest.raises(
        InputError, match=r"models: expected an ONNX file, got none; run python scripts/export_onnx.py spot"
    ):
        archive_contents(bundle, onnx=True)
    (bundle / "models" / "model.onnx").write_bytes(b"x")
    assert "models/model.onnx" in archive_contents(bundle, onnx=True)
    assert "models/model.onnx" not in archive_contents(bundle)


def test_the_script_that_exports_goes_along_with_what_it_imports(bundle: Path, checkout: Path) -> None:
    (checkout / "scripts").mkdir()
    (checkout / "scripts" / "export_onnx.py").write_text("from shared.layers import other\n", encoding="utf-8")
    assert {"scripts/export_onnx.py", "shared/layers/other.py"} <= set(archive_contents(bundle))


def test_a_link_is_refused(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x", encoding="utf-8")
    (bundle / "sample_data" / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(InputError, match=r"sample_data/link: expected a file, got a link"):
        archive_contents(bundle)


@pytest.mark.parametrize("name", ["LICENSE", "models/model.pt", "docs/data_license.txt", "configs/train.json"])
def test_a_bundle_without_a_file_that_it_must_have_is_refused(bundle: Path, tmp_path: Path, name: str) -> None:
    (bundle / name).unlink()
    with pytest.raises(InputError, match=f"expected the file {name}, got none"):
        pack(bundle, tmp_path / "dist")
    assert not (tmp_path / "dist").exists()


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import shared.layers.other", "layers/other"),
        ("from shared.layers.other import Thing", "layers/other"),
        ("from shared.layers import other as o", "layers/other"),
        ("from ..layers import other", "layers/other"),
        ("def later():\n    from shared.layers.other import Thing", "layers/other"),
        ("TARGET = {'_target_': 'shared.layers.other.Thing'}", "layers/other"),
        ("from shared import __version__", "__init__"),
    ],
)
def test_every_way_to_name_a_module_is_seen(checkout: Path, source: str, found: str) -> None:
    (checkout / "shared" / "nets" / "spot.py").write_text(source, encoding="utf-8")
    config = checkout / "bundles" / "spot_xr_segmentation" / "configs" / "train.json"
    assert Path(f"shared/{found}.py") in needed_files(checkout, [config])


@pytest.mark.parametrize("target", ["shared.nets.spto.Spot", "shared.nothing.at.All"])
def test_a_config_that_names_what_is_not_there_is_refused(bundle: Path, target: str) -> None:
    path = bundle / "configs" / "train.json"
    path.write_text(path.read_text(encoding="utf-8").replace("shared.nets.spot.Spot", target), encoding="utf-8")
    with pytest.raises(InputError, match=re.escape(f"train.json: expected names of parts of shared/, got {target}; ")):
        archive_contents(bundle)


def test_packages_are_what_is_imported_from_outside_when_a_module_is_loaded(checkout: Path) -> None:
    file = checkout / "shared" / "nets" / "spot.py"
    lines = ["import os, torch.nn as nn", "from PIL import Image", "from shared import errors"]
    lines += ["if nn:", "    import scipy", "def option():", "    import yaml"]
    file.write_text("\n".join(lines), encoding="utf-8")
    assert imported_packages([file]) == {"torch", "PIL", "scipy"}


@each_bundle
def test_each_bundle_packs_into_an_archive_that_is_well_as_far_as_can_be_read(real: Path, tmp_path: Path) -> None:
    rows = verify(pack(real, tmp_path), run=False)
    assert [row for row in rows if row["status"] == "failed"] == []
    assert {row["check"] for row in rows} == {"paths", "hash", "files", "metadata", "requirements"}


@each_bundle
def test_each_archive_leaves_at_home_what_only_the_catalogue_and_studies_need(real: Path) -> None:
    assert not [name for name in archive_contents(real) if name.startswith(("shared/zoo", "shared/studies", "tests"))]
