"""A release is one folder that can be checked by what everybody has."""

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from shared.errors import InputError
from shared.zoo.index import read_index
from shared.zoo.release import make_release
from tests.zoo.conftest import NAME

needs_ssh = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="no ssh-keygen")


def test_a_release_has_archives_index_schema_gallery_notes_and_their_checksums(bundle: Path, tmp_path: Path) -> None:
    files = make_release([bundle], tmp_path / "v1", tag="v1")
    archive = f"{NAME}_v0.1.0.zip"
    assert sorted(path.name for path in (tmp_path / "v1").iterdir()) == sorted(path.name for path in files) == [
        "RELEASE_NOTES.md", "SHA256SUMS", "gallery.html", "model_zoo.json", "model_zoo_schema_1.json", archive,
    ]  # fmt: skip
    sums = (tmp_path / "v1" / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    others = [path for path in files if path.name != "SHA256SUMS"]
    assert sums == [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}" for path in others]


def test_its_addresses_are_those_that_github_gives_or_relative(bundle: Path, tmp_path: Path) -> None:
    make_release([bundle], tmp_path / "v1", tag="v1", repo="a/zoo")
    known = read_index(tmp_path / "v1")
    base_url = f"https://github.com/a/zoo/releases/download/v1/{NAME}_v0.1.0.zip"
    assert known.url_of(known.choose(NAME)) == base_url
    assert base_url in (tmp_path / "v1" / "gallery.html").read_text(encoding="utf-8")
    make_release([bundle], tmp_path / "v2", tag="v2")
    assert read_index(tmp_path / "v2").choose(NAME)["url"] == f"{NAME}_v0.1.0.zip"


def test_the_notes_say_what_changed_and_how_to_get_it(bundle: Path, tmp_path: Path) -> None:
    make_release([bundle], tmp_path / "v1", tag="v1", repo="a/zoo")
    notes = (tmp_path / "v1" / "RELEASE_NOTES.md").read_text(encoding="utf-8")
    assert f"- **{NAME} 0.1.0**: finds more" in notes
    assert f"--name {NAME} --version 0.1.0 --source github --repo a/zoo/v1" in notes


def test_the_same_release_made_twice_is_the_same(bundle: Path, tmp_path: Path) -> None:
    def contents() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in make_release([bundle], tmp_path / "v1", tag="v1")}

    assert contents() == contents()


def test_what_else_lies_there_is_told_of_before_it_is_uploaded(bundle: Path, tmp_path: Path) -> None:
    make_release([bundle], tmp_path / "v1", tag="v1")
    (tmp_path / "v1" / "old_v0.0.1.zip").write_text("x", encoding="utf-8")
    with pytest.raises(InputError, match=r"expected nothing but this release, got old_v0.0.1.zip"):
        make_release([bundle], tmp_path / "v1", tag="v1")


@needs_ssh
def test_the_signature_holds_for_the_checksums_and_for_nothing_else(bundle: Path, tmp_path: Path) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    for _ in range(2):  # the second time it is there already
        files = make_release([bundle], tmp_path / "v1", tag="v1", key=key)
    assert files[-1].name == "SHA256SUMS.sig"
    assert "-s SHA256SUMS.sig < SHA256SUMS" in (tmp_path / "v1" / "RELEASE_NOTES.md").read_text(encoding="utf-8")
    signers = tmp_path / "signers"
    signers.write_text(f"us {key.with_suffix('.pub').read_text(encoding='utf-8')}", encoding="utf-8")
    sums = tmp_path / "v1" / "SHA256SUMS"

    def holds() -> bool:
        command = ["ssh-keygen", "-Y", "verify", "-f", str(signers), "-I", "us", "-n", "file", "-s", str(files[-1])]
        return subprocess.run(command, input=sums.read_bytes(), capture_output=True, check=False).returncode == 0

    assert holds()
    sums.write_text(sums.read_text(encoding="utf-8").replace("a", "b"), encoding="utf-8")
    assert not holds()


@needs_ssh
def test_a_key_that_is_none_is_refused_in_one_line(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^[^\n]*nokey: expected an SSH key to sign with, got [^\n]+$"):
        make_release([bundle], tmp_path / "v1", tag="v1", key=tmp_path / "nokey")
