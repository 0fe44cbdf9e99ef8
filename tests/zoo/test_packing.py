"""An archive has what its bundle needs and nothing else, and the same input gives the same bytes."""

import os
import shutil
import zipfile
from pathlib import Path

import pytest

from shared.errors import InputError
from shared.zoo.archives import checked_members
from shared.zoo.packing import archive_contents, left_out, pack
from shared.zoo.verifying import verify

ROOT = Path(__file__).parents[2]
BUNDLES = sorted(path for path in (ROOT / "bundles").iterdir() if path.is_dir())
each_bundle = pytest.mark.parametrize("real", BUNDLES, ids=[bundle.name for bundle in BUNDLES])


def test_an_archive_holds_the_bundle_and_shared_but_studies_and_benchmarks(bundle: Path, tmp_path: Path) -> None:
    archive = pack(bundle, tmp_path / "dist")
    assert archive.name == "spot_xr_segmentation_v0.1.0.zip"
    names = {member.filename.removeprefix("spot_xr_segmentation/") for member in checked_members(archive)}
    own = {path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file()}
    package = {f"shared/{name}" for name in ("__init__.py", "nets/__init__.py", "nets/spot.py", "nets/table.json")}
    assert names == own | package | {"requirements.txt", "scripts/export_onnx.py"}


def test_what_is_required_are_the_dependencies_at_the_pinned_versions_in_their_order(bundle: Path) -> None:
    required = b"torch==2.13.0\nmonai==1.6.1\nnumpy==2.4.6\nScikit_Image==0.26.0\n"
    assert archive_contents(bundle)["requirements.txt"] == required


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("scikit-image==0.25.0", "expected scikit-image==0.26.0, as metadata.json says, .*, got 0.25.0; "),
        ("", "constraints.txt: expected a version of Scikit_Image, got none; "),
    ],
)
def test_a_version_that_metadata_or_constraints_do_not_share_is_refused(
    bundle: Path, checkout: Path, change: str, message: str
) -> None:
    path = checkout / "constraints.txt"
    path.write_text(path.read_text(encoding="utf-8").replace("scikit-image==0.26.0", change), encoding="utf-8")
    with pytest.raises(InputError, match=message):
        archive_contents(bundle)


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


@each_bundle
def test_each_bundle_packs_into_an_archive_that_is_well_as_far_as_can_be_read(real: Path, tmp_path: Path) -> None:
    rows = verify(pack(real, tmp_path), run=False)
    assert [row for row in rows if row["status"] == "failed"] == []
    assert {row["check"] for row in rows} == {"paths", "hash", "files", "metadata", "requirements"}
