"""What systems and strangers do wrong is one line, leaves nothing, and does not keep what comes later."""

import json
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from shared.errors import InputError
from shared.files import write_json
from shared.zoo import locking
from shared.zoo.cards import read_card
from shared.zoo.downloading import download
from shared.zoo.index import make_index, read_index
from shared.zoo.marks import fill_blocks, fill_figures
from shared.zoo.packing import pack
from shared.zoo.release import make_release
from shared.zoo.verifying import verify
from tests.running import assert_ended_with_a_line
from tests.zoo.conftest import NAME, Server, StartZoo, Zoo

Publish = Callable[..., Path]
ODD = "Spots\x1b[31m \x9b2J\x07\r\nerror: all is well\u202e"  # colours, clears the screen, rings, turns text round


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_of_two_downloads_at_once_one_waits_and_both_end_well(
    start_zoo: StartZoo, publish: Publish, server: Server, tmp_path: Path
) -> None:
    publish()
    server.faults.append("drop")  # after which the first one waits for a second, and the other has begun
    command = ("download", NAME, "--index", f"{server.url}/model_zoo.json", "--dir", tmp_path / "here")
    both = [start_zoo(*command) for _ in range(2)]
    outputs = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert len(server.ranges) == 2  # what was dropped and its rest: the other one transferred nothing
    assert sum("another download is under way" in stderr for _, stderr in outputs) == 1
    assert sum("is there already" in stdout for stdout, _ in outputs) == 1
    assert names(tmp_path / "here") == [NAME]
    assert (tmp_path / "here" / NAME / "models" / "model.pt").is_file()


def test_where_nothing_locks_the_second_of_two_finds_what_the_first_put_there(
    publish: Publish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shared.zoo import downloading

    index, unpack = publish(), downloading.unpack

    def unpack_after_the_other(archive: Path, folder: Path) -> Path:
        monkeypatch.setattr(downloading, "unpack", unpack)
        download(NAME, tmp_path / "here", index)
        return unpack(kept, folder)

    kept = index.with_name(f"{NAME}_v0.1.0.zip")
    monkeypatch.setattr(locking, "fcntl", None)
    monkeypatch.setattr(downloading, "unpack", unpack_after_the_other)
    assert download(NAME, tmp_path / "here", index) == tmp_path / "here" / NAME
    assert names(tmp_path / "here") == [NAME]


def test_leftovers_of_killed_downloads_and_packs_are_passed_over(
    publish: Publish, bundle: Path, tmp_path: Path
) -> None:
    index = publish()
    here = tmp_path / "here"
    (here / f".{NAME}.abc").mkdir(parents=True)
    (here / f".{NAME}.lock").touch()
    download(NAME, here, index)
    assert names(here) == [f".{NAME}.abc", NAME]
    for folder in (bundle / "models", bundle / "sample_data", bundle / "docs", bundle.parent):
        for name in (".DS_Store", "._model.pt", "Thumbs.db"):
            (folder / name).write_bytes(b"\0half")
    (bundle / ".tmp.zip").write_bytes(b"PK")
    (bundle / "models" / "._link").symlink_to("nowhere")
    archive = pack(bundle, tmp_path / "dist")
    assert archive.read_bytes() == index.with_name(archive.name).read_bytes()
    (tmp_path / "v1").mkdir()
    (tmp_path / "v1" / ".half.zip").write_bytes(b"PK")
    assert tmp_path / "v1" / archive.name in make_release([bundle], tmp_path / "v1", tag="v1")


def test_a_killed_pack_does_not_keep_the_next_index(zoo: Zoo, checkout: Path) -> None:
    (checkout / "dist").mkdir()
    (checkout / "dist" / ".half.zip").write_bytes(b"PK")
    assert zoo("index").returncode == 0
    assert zoo("gallery").returncode == 0


NASTY = [
    "[",
    "![",
    "![a](b",
    "[a](b",
    "[1, ",
    " [1",
    "<!--",
    "`",
    "```\n",
    "**Speed:",
    "**Speed:** ",
    "\n\n## Licence\n",
]


@pytest.mark.parametrize("piece", [*NASTY, "1", "<!-- generated: a -->\n"])
def test_a_card_is_read_in_a_time_that_follows_its_length(piece: str) -> None:
    """Of a length four times as large, linear time is 4 times and quadratic time 16 times as long."""
    heads = "# T\n\n**Speed:** ", "\n\n## Licence\n"

    def seconds(length: int) -> float:
        text = "".join(head + piece * (length // len(piece) // len(heads)) for head in heads)
        least = float("inf")
        for _ in range(3):
            before = time.process_time()
            read_card(text)
            fill_figures(text, {}, "")
            fill_blocks(text, {}, "")
            least = min(least, time.process_time() - before)
        return least

    assert seconds(2**20) < 9 * seconds(2**18) + 0.01


def test_escape_codes_of_an_index_are_not_printed(zoo: Zoo, publish: Publish, tmp_path: Path) -> None:
    index = publish()
    content = json.loads(index.read_text(encoding="utf-8"))
    entry = content["bundles"][0]
    for key in ("title", "task", "modality", "description", "speed"):
        entry[key] = ODD
    entry["metrics"][ODD], entry["changelog"][ODD], entry["requirements"][ODD] = 1, ODD, ODD
    entry["licences"] = dict.fromkeys(entry["licences"], ODD)
    write_json(index, content)
    for command in ("list", "show", "download"):
        if command == "download":
            write_json(index, {**content, "bundles": [entry | {"url": f"http://{ODD}"}]})
        done = zoo(command, *[NAME] * (command != "list"), "--index", index)
        lines = [*done.stdout.split("\n"), *done.stderr.split("\n")]
        assert all(line.isprintable() for line in lines), lines
        assert not any(line.startswith("error: all is well") for line in lines)
        assert done.returncode == (command == "download")


@pytest.mark.parametrize(
    "change",
    [{"url": "http://["}, {"bytes": 10**400}, {"metrics": {"dice": 10**400}}, {"version": "1.0." + "9" * 5000}],
)
def test_an_index_that_is_odd_is_one_line(publish: Publish, change: Mapping[str, Any]) -> None:
    index = publish()
    content = json.loads(index.read_text(encoding="utf-8"))
    content["bundles"][0] |= change
    index.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(InputError, match=r"\A[^\n]+\Z"):
        download(NAME, index.parent / "here", index)


@pytest.mark.parametrize("text", ["[" * 10**6, '{"schema": 1, "bundles": [' + "[" * 900 + "]" * 900 + "]}", "\xe4"])
def test_an_index_nested_endlessly_or_in_another_encoding_is_one_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "model_zoo.json").write_text(text, encoding="latin-1")
    with pytest.raises(InputError, match=r"\A[^\n]*model_zoo.json: expected [^\n]+\Z"):
        read_index(tmp_path / "model_zoo.json")


@pytest.mark.parametrize(
    "source", ["http://[", "http://127.0.0.1:x/", "http://a b/", "~nobody-of-this-name/a", "x" * 5000]
)
def test_an_address_that_is_none_is_one_line(source: str) -> None:
    with pytest.raises(InputError, match=r"\A[^\n]*: expected an index, model_zoo.json, got [^\n]+\Z"):
        read_index(source)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_files_of_a_bundle_may_be_saved_by_any_editor(bundle: Path, tmp_path: Path, encoding: str) -> None:
    before = make_index([pack(bundle, tmp_path / "dist")], tmp_path)["bundles"][0]
    for name in ("docs/README.md", "docs/data_license.txt", "LICENSE", "configs/metadata.json"):
        text = (bundle / name).read_text(encoding="utf-8")
        (bundle / name).write_bytes(text.replace("\n", "\r\n").encode(encoding))
    after = make_index([pack(bundle, tmp_path / "dist")], tmp_path)["bundles"][0]
    assert after == before | {"sha256": after["sha256"], "bytes": after["bytes"]}


@pytest.mark.parametrize("name", ["docs/README.md", "docs/data_license.txt", "LICENSE", "configs/metadata.json"])
def test_a_file_that_is_no_text_is_one_line_of_index_and_verify(bundle: Path, tmp_path: Path, name: str) -> None:
    archive = pack(bundle, tmp_path)
    (bundle / name).write_bytes(b'{"version": "0.1.0", "name": "\xe4\xf6"}')
    if name == "configs/metadata.json":
        with pytest.raises(InputError, match=r"\A[^\n]*metadata.json: expected text in UTF-8, got [^\n]+\Z"):
            pack(bundle, tmp_path)
        return
    archive = pack(bundle, tmp_path)
    with pytest.raises(InputError, match=rf"\A[^\n]*{name}: expected text in UTF-8, got [^\n]+\Z"):
        make_index([archive], tmp_path)
    (row,) = [row for row in verify(archive, run=False) if row["status"] == "failed"]
    assert "expected text in UTF-8" in row["found"]


full_disk = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (50_000, 50_000))  # of which a file holds no more


@pytest.mark.parametrize(
    "arguments",
    [("pack", NAME), ("index",), ("release", "--tag", "v1"), ("download", NAME, "--index", "../site", "--dir", "here")],
    ids=lambda arguments: arguments[0],
)
def test_a_full_disk_is_one_line_at_once_and_leaves_no_half_file(
    zoo: Zoo, publish: Publish, checkout: Path, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    publish()
    before = time.monotonic()
    assert_ended_with_a_line(zoo(*arguments, preexec_fn=full_disk), "File too large; check its name, its permissions")
    assert time.monotonic() - before < 25  # six tries of a download take 31 s of waiting
    assert not list(checkout.rglob("*.zip"))
    assert not (tmp_path / "cwd" / "here" / NAME).exists()
    if arguments[0] == "download":
        assert zoo(*arguments).returncode == 0
        assert names(tmp_path / "cwd" / "here") == [NAME]


@pytest.mark.parametrize(
    "arguments",
    [
        ("pack", NAME, "--dir", "x" * 300), ("index", "--dir", "x" * 300), ("index", "--output", "x" * 300),
        ("release", "--tag", "x" * 300), ("verify", "x" * 300), ("gallery", "--dir", "x" * 300),
        ("download", NAME, "--index", "../site", "--dir", "x" * 300), ("list", "--index", "x" * 300),
        ("pack", NAME, "--dir", "file"), ("index", "--output", "file/model_zoo.json"), ("verify", "file/a.zip"),
        ("release", "--tag", "v1", "--dir", "file"), ("download", NAME, "--index", "../site", "--dir", "file"),
    ],
    ids=lambda arguments: " ".join(arguments)[:30],
)  # fmt: skip
def test_a_path_that_the_system_refuses_is_one_line(
    zoo: Zoo, publish: Publish, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    publish()
    (tmp_path / "cwd" / "file").touch()
    done = zoo(*arguments)
    assert "Traceback" not in done.stderr
    assert done.returncode == 1
    if arguments[0] == "verify":
        assert "failed" in done.stdout
    else:
        assert_ended_with_a_line(done, "expected ")


@pytest.mark.parametrize(("number", "word"), [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "terminated")])
def test_a_stopped_download_says_so_in_a_line_and_the_next_goes_on(
    start_zoo: StartZoo, publish: Publish, server: Server, tmp_path: Path, number: signal.Signals, word: str
) -> None:
    publish()
    server.faults.append("stall")
    command = ("download", NAME, "--index", f"{server.url}/model_zoo.json", "--dir", tmp_path / "here")
    process = start_zoo(*command)
    wait_for(lambda: any(path.stat().st_size for path in tmp_path.glob("here/.*.part")), process)
    assert_stopped(process, number, word)
    (part,) = names(tmp_path / "here")  # kept, to go on from
    assert part.endswith(".part")
    server.over.set()
    assert start_zoo(*command).wait() == 0
    assert names(tmp_path / "here") == [NAME]
    assert server.ranges[1] is not None


@pytest.mark.parametrize(("number", "word"), [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "terminated")])
def test_a_stopped_verification_leaves_nothing(
    start_zoo: StartZoo, bundle: Path, tmp_path: Path, number: signal.Signals, word: str
) -> None:
    archive, temporary = pack(bundle, tmp_path / "dist"), tmp_path / "tmp"
    temporary.mkdir()
    process = start_zoo("verify", archive, env={"TMPDIR": str(temporary)})
    wait_for(lambda: any(temporary.glob(f"*/{NAME}/shared/*")), process)
    assert_stopped(process, number, word)
    assert names(temporary) == []


def wait_for(condition: Callable[[], bool], process: subprocess.Popen) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.02)


def assert_stopped(process: subprocess.Popen, number: signal.Signals, word: str) -> None:
    process.send_signal(number)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert "Traceback" not in stderr
    assert stderr.splitlines()[-1] == word
