"""The command line, as it is typed, in a checkout of its own and from another folder."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.running import assert_ended_with_a_line
from tests.zoo.conftest import NAME, Server, Zoo


def test_from_packing_to_running_every_command_does_what_it_says(zoo: Zoo, checkout: Path, tmp_path: Path) -> None:
    listed = zoo("list")
    assert listed.returncode == 0
    assert "not made yet" in listed.stderr
    assert f"{NAME}  0.1.0    –    dice_mean 0.750  Segmentation of spots" in listed.stdout

    packed = zoo("pack", NAME, "--dir", "mine")
    assert packed.returncode == 0, packed.stderr
    assert (tmp_path / "cwd" / "mine" / f"{NAME}_v0.1.0.zip").is_file()

    indexed = zoo("index")
    assert indexed.returncode == 0, indexed.stderr
    (entry,) = json.loads((checkout / "model_zoo.json").read_text(encoding="utf-8"))["bundles"]
    assert entry["url"] == f"dist/{NAME}_v0.1.0.zip"
    assert entry["sha256"] in indexed.stdout
    assert entry["sha256"] in packed.stdout

    shown = zoo("show", NAME)
    for word in (
        "Spots",
        "Segmentation of spots",
        "0.5 s an image",
        entry["sha256"],
        "torch 2.13.0",
        "finds more",
        "0.75",
    ):
        assert word in shown.stdout
    assert shown.stderr == ""

    archive = checkout / "dist" / f"{NAME}_v0.1.0.zip"
    verified = zoo("verify", archive, "--static", "--index", checkout / "model_zoo.json")
    assert verified.returncode == 0, verified.stdout
    assert [line.split()[:2] for line in verified.stdout.splitlines()[2:]] == [
        [check, "ok"] for check in ("paths", "hash", "files", "metadata", "requirements")
    ]

    got = zoo("download", f"{NAME}@0.1.0")
    assert got.returncode == 0, got.stderr
    assert (tmp_path / "cwd" / NAME / "requirements.txt").is_file()
    assert f"cd {NAME}" in got.stdout

    page = zoo("gallery")
    assert page.returncode == 0, page.stderr
    assert NAME in (checkout / "dist" / "gallery.html").read_text(encoding="utf-8")

    released = zoo("release", "--tag", "v1", "--repo", "a/zoo", "--static")
    assert released.returncode == 0, released.stderr
    assert "gh release create v1 --repo a/zoo --notes-file" in released.stdout


def test_an_index_on_a_server_serves_list_and_download(
    zoo: Zoo, server: Server, publish: Callable[..., Path], tmp_path: Path
) -> None:
    publish()
    server.faults.append("drop")
    assert NAME in zoo("list", "--index", f"{server.url}/model_zoo.json").stdout
    got = zoo("download", NAME, "--index", f"{server.url}/model_zoo.json", "--dir", tmp_path / "here")
    assert got.returncode == 0, got.stderr
    assert "100%" in got.stderr  # the bar
    assert "the connection ended after" in got.stderr
    assert (tmp_path / "here" / NAME / "models" / "model.pt").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pack"], "error: pack: expected a bundle, or --all, got neither; give one"),
        (["pack", "spots_xr"], f"got one it does not know; did you mean {NAME}?"),
        (["download", NAME], "error: --index: expected where the bundles are, got no "),
        (["list", "--index", "gone.json"], "error: gone.json: expected an index, model_zoo.json, got "),
        (["gallery"], "expected archives, got none; run the command pack --all first"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_in_one_line(zoo: Zoo, arguments: list[str], message: str) -> None:
    assert_ended_with_a_line(zoo(*arguments), message)


def test_verifying_a_bad_file_ends_with_exit_code_1(zoo: Zoo, tmp_path: Path) -> None:
    (tmp_path / "cwd" / "spot_v1.0.0.zip").write_text("no zip", encoding="utf-8")
    done = zoo("verify", "spot_v1.0.0.zip")
    assert done.returncode == 1
    assert "paths" in done.stdout
    assert "failed" in done.stdout


def test_a_bundle_that_cannot_be_packed_does_not_keep_the_others(zoo: Zoo, checkout: Path, tmp_path: Path) -> None:
    shutil.copytree(checkout / "bundles" / NAME, checkout / "bundles" / "a_broken_one")
    (checkout / "bundles" / "a_broken_one" / "LICENSE").unlink()
    done = zoo("pack", "--all")
    assert_ended_with_a_line(done, "a_broken_one: expected the file LICENSE, got none")
    assert (checkout / "dist" / f"{NAME}_v0.1.0.zip").is_file()
    assert NAME in zoo("list").stdout
