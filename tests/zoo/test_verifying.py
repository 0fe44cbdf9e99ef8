"""Each fault of an archive is found by the check that is there for it, and no code runs after one that was found."""

import json
import pickle
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from shared.zoo import probe
from shared.zoo.packing import pack
from shared.zoo.verifying import verify
from tests.zoo.conftest import NAME, metadata, spoil

ROOT = Path(__file__).parents[2]
Change = Callable[[dict[str, bytes]], object]


@pytest.fixture
def archive(bundle: Path, tmp_path: Path) -> Path:
    return pack(bundle, tmp_path / "dist")


def changed(archive: Path, change: Change, compression: int = zipfile.ZIP_STORED) -> Path:
    """The archive after `change` of its contents by name."""
    with zipfile.ZipFile(archive) as old:
        contents = {name: old.read(name) for name in old.namelist()}
    change(contents)
    with zipfile.ZipFile(archive, "w", compression) as new:
        for name, content in contents.items():
            new.writestr(name, content)
    return archive


def test_a_good_archive_passes_every_check_that_reads(archive: Path) -> None:
    checks = {row["check"]: row["status"] for row in verify(archive, run=False)}
    assert checks == {"paths": "ok", "hash": "skipped", "files": "ok", "metadata": "ok", "requirements": "ok"}


def with_metadata(**changes: object) -> Change:
    content = json.dumps(metadata() | changes).encode()
    return lambda contents: contents.update({f"{NAME}/configs/metadata.json": content})


@pytest.mark.parametrize(
    ("change", "check", "reason"),
    [
        (lambda c: c.update({f"{NAME}/../x": b""}), "paths", "a path out of its folder"),
        (lambda c: c.pop(f"{NAME}/docs/README.md"), "files", "expected the file docs/README.md"),
        (lambda c: c.pop(f"{NAME}/shared/__init__.py"), "files", "expected shared/"),
        (with_metadata(version="0.1"), "metadata", r"\['version'\]: '0.1' does not match"),
        (with_metadata(version="0.2.0"), "metadata", "expected version 0.1.0, got 0.2.0"),
        (with_metadata(changelog={"0.0.1": "x"}), "metadata", "expected a changelog of 0.1.0"),
        (with_metadata(eval_metrics={"dice": None}), "metadata", "None is not of type 'number'"),
        (with_metadata(required_packages_version={"tqdm": "4.70.1"}), "requirements", "got no tqdm"),
        (with_metadata(numpy_version="2.0.0"), "requirements", "expected numpy==2.0.0, .*, got 2.4.6"),
        (lambda c: c.pop(f"{NAME}/requirements.txt"), "requirements", "expected the file requirements.txt, got none"),
    ],
)  # fmt: skip
def test_a_fault_is_found_by_its_check_and_ends_the_checks(
    archive: Path, change: Change, check: str, reason: str
) -> None:
    *before, last = verify(changed(archive, change))
    assert (last["check"], last["status"]) == (check, "failed")
    assert all(row["status"] != "failed" for row in before)
    assert re.search(reason, last["found"])


def test_the_hash_is_held_against_what_is_given_and_the_index_beside(publish: Callable[..., Path]) -> None:
    archive = publish().with_name(f"{NAME}_v0.1.0.zip")
    assert verify(archive, run=False)[1]["status"] == "ok"
    assert verify(archive, run=False, sha256="0" * 64)[1]["status"] == "failed"
    changed(archive, lambda contents: contents.update({f"{NAME}/sample_data/a.txt": b"b"}))
    assert verify(archive)[-1]["check"] == "hash"


@pytest.mark.parametrize("name", ["spot.zip", "spot_v1.tar", "spot-v1.0.zip"])
def test_a_file_of_another_name_is_refused(archive: Path, name: str) -> None:
    (row,) = verify(archive.rename(archive.with_name(name)))
    assert "expected an archive NAME_vVERSION.zip" in row["found"]


def test_what_is_no_zip_cut_off_empty_or_not_there_is_refused(archive: Path) -> None:
    archive.write_bytes(archive.read_bytes()[:-100])
    assert "expected a zip archive" in verify(archive)[0]["found"]
    with zipfile.ZipFile(archive, "w") as empty:
        empty.mkdir(f"{NAME}/")
    assert "not one folder with files" in verify(archive)[0]["found"]
    archive.unlink()
    assert "got no such file" in verify(archive)[0]["found"]


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], ids=["stored", "deflated"])
@pytest.mark.parametrize("name", ["configs/metadata.json", "docs/README.md", "models/model.pt"])
def test_a_spoilt_file_is_told_of_in_one_line(archive: Path, name: str, compression: int) -> None:
    spoil(changed(archive, lambda contents: None, compression), f"{NAME}/{name}")
    last = verify(archive)[-1]
    assert (last["check"], last["status"]) == ("files", "failed")
    assert re.fullmatch(r"[^\n]*expected a whole archive, got [^\n]+; download it again", last["found"])


class Evil:
    def __reduce__(self) -> tuple:
        return print, ("run",)


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ({"a": Evil()}, "UnpicklingError"),
        ({"a": torch.tensor([float("nan")])}, "has NaN or Inf"),
        ({"epoch": 3}, "holds int under epoch, not a tensor"),
    ],
)
def test_weights_that_are_more_or_less_than_numbers_are_refused(tmp_path: Path, state: dict, reason: str) -> None:
    (tmp_path / "models").mkdir()
    torch.save(state, tmp_path / "models" / "model.pt", pickle_module=pickle)
    status, found = probe.outcome(probe.weights, tmp_path)
    assert status == "failed"
    assert reason in found


@pytest.fixture
def copy(tmp_path: Path) -> Callable[[str], Path]:
    """Copies the configs and samples of the first bundle whose name ends so."""

    def parts(ending: str) -> Path:
        real = min((ROOT / "bundles").glob(f"*{ending}"))
        for part in ("configs", "sample_data"):
            shutil.copytree(real / part, tmp_path / part)
        return tmp_path

    return parts


def test_a_config_that_names_what_is_not_there_is_refused(copy: Callable[[str], Path]) -> None:
    copied = copy("_segmentation")
    path = copied / "configs" / "inference.json"
    path.write_text(path.read_text(encoding="utf-8").replace(".CaseReport", ".CaseRepotr"), encoding="utf-8")
    status, found = probe.outcome(probe.configs, copied)
    assert status == "failed"
    assert "shared.engine.report.CaseRepotr" in found


@pytest.mark.parametrize(
    ("ending", "key", "change", "words"),
    [
        ("mr_segmentation", "num_channels", lambda value: value + 1, "channel number"),
        ("instance_segmentation", "num_channels", lambda value: value + 1, "gives 5 tensors, metadata say 6"),
        (
            "instance_segmentation", "channel_def", lambda value: {**value, "1": "scores (399) float32: from 0 to 1"},
            "gives scores (400) float32, metadata say scores (399) float32",
        ),
        (
            "instance_segmentation", "channel_def", lambda value: {**value, "4": "number () int32: of them"},
            "gives number () int64, metadata say number () int32",
        ),
    ],
)  # fmt: skip
def test_a_network_that_gives_other_than_the_metadata_say_is_refused(
    copy: Callable[[str], Path], ending: str, key: str, change: Callable, words: str
) -> None:
    copied = copy(ending)
    assert probe.outcome(probe.network, copied)[0] == "ok"
    path = copied / "configs" / "metadata.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    pred = content["network_data_format"]["outputs"]["pred"]
    pred[key] = change(pred[key])
    path.write_text(json.dumps(content), encoding="utf-8")
    status, found = probe.outcome(probe.network, copied)
    assert status == "failed"
    assert words in found
