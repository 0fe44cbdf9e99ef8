"""A bundle comes whole and as the index says, or not at all, whatever the server does."""

import json
import re
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shared.errors import InputError
from shared.files import sha256_of, write_json
from shared.zoo import downloading
from shared.zoo.downloading import download
from tests.zoo.conftest import NAME, Server, spoil

Publish = Callable[..., Path]


def get(server: Server, folder: Path, wanted: str = NAME, **options: Any) -> Path:
    settings: dict[str, Any] = {"attempts": 4, "timeout": 30.0, "pause": 0.01}
    return download(wanted, folder, f"{server.url}/model_zoo.json", **settings | options)


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def published(publish: Publish) -> dict[str, bytes]:
    """What the archive holds, by the paths it should come to have."""
    with zipfile.ZipFile(publish().with_name(f"{NAME}_v0.1.0.zip")) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_bundle_comes_whole_and_nothing_else_is_left(publish: Publish, server: Server, tmp_path: Path) -> None:
    expected = published(publish)
    assert get(server, tmp_path / "here") == tmp_path / "here" / NAME
    assert contents(tmp_path / "here") == expected
    assert server.ranges == [None]


def test_an_index_in_a_file_serves_as_well(publish: Publish, tmp_path: Path) -> None:
    expected = published(publish)
    download(NAME, tmp_path / "here", tmp_path / "site")  # the folder that model_zoo.json is in
    assert contents(tmp_path / "here") == expected


@pytest.mark.parametrize("fault", ["drop", "stall"])
def test_a_broken_transfer_goes_on_where_it_broke(publish: Publish, server: Server, tmp_path: Path, fault: str) -> None:
    expected = published(publish)
    size = (tmp_path / "site" / f"{NAME}_v0.1.0.zip").stat().st_size
    server.faults += [fault, fault]
    get(server, tmp_path / "here", timeout=1.5)
    assert contents(tmp_path / "here") == expected
    half = size // 2
    assert server.ranges == [None, f"bytes={half}-", f"bytes={half + (size - half) // 2}-"]


def test_a_later_call_goes_on_where_an_earlier_one_gave_up(publish: Publish, server: Server, tmp_path: Path) -> None:
    expected = published(publish)
    server.faults.append("drop")
    with pytest.raises(InputError, match=r"the connection ended after [\d,]+ of [\d,]+ bytes; .* run this again"):
        get(server, tmp_path / "here", attempts=1)
    assert not (tmp_path / "here" / NAME).exists()
    get(server, tmp_path / "here")
    assert contents(tmp_path / "here") == expected
    assert server.ranges[1] is not None


def test_a_server_that_cannot_resume_is_asked_for_the_whole(publish: Publish, server: Server, tmp_path: Path) -> None:
    expected = published(publish)
    server.faults += ["drop", "no ranges"]
    get(server, tmp_path / "here")
    assert contents(tmp_path / "here") == expected


@pytest.mark.parametrize("answer", ["503", "429", "416"])
def test_a_passing_fault_of_the_server_is_waited_out(
    publish: Publish, server: Server, tmp_path: Path, answer: str
) -> None:
    expected = published(publish)
    server.faults += ["drop", answer]
    get(server, tmp_path / "here")
    assert contents(tmp_path / "here") == expected


def test_the_pause_is_as_asked_for_before_the_second_attempt_and_then_doubles(
    publish: Publish, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish()
    pauses: list[float] = []
    monkeypatch.setattr(downloading.time, "sleep", pauses.append)
    server.faults += ["drop"] * 3
    get(server, tmp_path / "here", pause=0.5)
    assert pauses == [0.5, 1, 2]


def test_a_missing_archive_is_told_of_at_once(publish: Publish, server: Server, tmp_path: Path) -> None:
    publish().with_name(f"{NAME}_v0.1.0.zip").unlink()
    with pytest.raises(InputError, match=r"v0.1.0.zip: expected the archive, got the server says 404"):
        get(server, tmp_path / "here", pause=60)
    assert contents(tmp_path / "here") == {}


def test_a_missing_file_is_no_fault_of_the_network(publish: Publish, tmp_path: Path) -> None:
    index = publish()
    index.with_name(f"{NAME}_v0.1.0.zip").unlink()
    with pytest.raises(InputError, match=r"v0.1.0.zip: expected the archive, got No such file [^\n]*pack --all does$"):
        download(NAME, tmp_path / "here", index, pause=60)
    assert contents(tmp_path / "here") == {}


def test_a_server_that_is_not_there_is_told_of_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^http://127.0.0.1:9/model_zoo.json: [^\n]*refused; check --index$"):
        download(NAME, tmp_path, "http://127.0.0.1:9/model_zoo.json")


def test_wrong_bytes_are_refused_and_leave_nothing(publish: Publish, server: Server, tmp_path: Path) -> None:
    publish()
    server.faults += ["wrong bytes"] * 2
    with pytest.raises(InputError, match=r"bytes of SHA-256 [0-9a-f]{12}…, got one that begins"):
        get(server, tmp_path / "here")
    assert list((tmp_path / "here").iterdir()) == []
    assert len(server.ranges) == 1  # another try would not make them right


def test_a_longer_file_than_the_index_says_is_not_read_to_its_end(
    publish: Publish, server: Server, tmp_path: Path
) -> None:
    archive = publish().with_name(f"{NAME}_v0.1.0.zip")
    size = archive.stat().st_size
    archive.write_bytes(archive.read_bytes() + bytes(10**7))
    with pytest.raises(InputError, match=r"got [\d,]+ bytes; do not use") as caught:
        get(server, tmp_path / "here")
    read = re.search(r"got ([\d,]+) bytes", str(caught.value))
    assert read is not None
    assert int(read[1].replace(",", "")) <= size + 2 * downloading.CHUNK_BYTES
    assert list((tmp_path / "here").iterdir()) == []


def test_leftovers_that_do_not_fit_are_thrown_away(publish: Publish, server: Server, tmp_path: Path) -> None:
    expected = published(publish)
    server.faults.append("drop")
    with pytest.raises(InputError):
        get(server, tmp_path / "here", attempts=1)
    (part,) = (tmp_path / "here").iterdir()
    part.write_bytes(bytes(part.stat().st_size))
    get(server, tmp_path / "here")
    assert contents(tmp_path / "here") == expected


def serve_archive(site: Path, members: dict[str, bytes | zipfile.ZipInfo], version: str = "0.1.0") -> None:
    """Put an archive of `members` where the published one is, and its hash into the index: a zoo that means harm."""
    path = site / f"{NAME}_v0.1.0.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        meta = json.dumps({"version": version})
        archive.writestr(f"{NAME}/configs/metadata.json", meta)
        for name, content in members.items():
            archive.writestr(*(content, "../../target") if isinstance(content, zipfile.ZipInfo) else (name, content))
    index_again(site)


def index_again(site: Path) -> None:
    """Put the size and hash of the archive that is there into the index."""
    path = site / f"{NAME}_v0.1.0.zip"
    index = json.loads((site / "model_zoo.json").read_text(encoding="utf-8"))
    index["bundles"][0] |= {"sha256": sha256_of(path), "bytes": path.stat().st_size}
    write_json(site / "model_zoo.json", index)


def link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    return info


def packed_by_bzip2(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.compress_type = zipfile.ZIP_BZIP2
    return info


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({f"{NAME}/../../evil": b"x"}, "a path out of its folder"),
        ({"/tmp/evil": b"x"}, "a path out of its folder"),
        ({"..\\evil": b"x"}, "a path out of its folder"),
        ({"C:/evil": b"x"}, "a path out of its folder"),
        ({f"{NAME}/./evil": b"x"}, "a path that is not plain"),
        ({f"{NAME}/a\nb": b"x"}, "a path that is not plain"),
        ({f"{NAME}/link": link(f"{NAME}/link")}, "a link or device"),
        ({f"{NAME}/packed": packed_by_bzip2(f"{NAME}/packed")}, "a file neither stored nor deflated"),
        ({"evil": b"x"}, "2 things at the top"),
        ({"other/evil": b"x"}, "2 things at the top"),
        ({f"{NAME}/a": b"x", f"{NAME}/A": b"x"}, "two files of one name"),
        ({f"{NAME}/bomb": bytes(101 * 2**20)}, "a file that swells a hundredfold"),
    ],
)  # fmt: skip
def test_an_archive_that_means_harm_is_refused_though_its_hash_is_right(
    publish: Publish, server: Server, tmp_path: Path, members: dict[str, bytes | zipfile.ZipInfo], reason: str
) -> None:
    publish()
    serve_archive(tmp_path / "site", members)
    with pytest.raises(InputError, match=rf"expected an archive of plain files in one folder, .* got {reason}"):
        get(server, tmp_path / "here" / "deep")
    assert contents(tmp_path / "here") == {}
    assert not list(tmp_path.rglob("*evil*"))


@pytest.mark.parametrize(
    ("record", "field", "bit", "reason"),
    [
        (b"PK\1\2", 8, 0x1, "an encrypted or patched file"),  # the flags of the first entry of the directory
        (b"PK\1\2", 8, 0x20, "an encrypted or patched file"),
        (b"PK\1\2", 8, 0x40, "an encrypted or patched file"),
        (b"PK\5\6", 19, 0x1, "a file that begins before the archive does"),  # where the directory begins, + 2**24
    ],
)
def test_an_archive_whose_directory_says_what_cannot_be_read_is_refused(
    publish: Publish, server: Server, tmp_path: Path, record: bytes, field: int, bit: int, reason: str
) -> None:
    archive = publish().with_name(f"{NAME}_v0.1.0.zip")
    content = bytearray(archive.read_bytes())
    content[content.index(record) + field] |= bit
    archive.write_bytes(content)
    index_again(tmp_path / "site")
    with pytest.raises(InputError, match=f"got {reason}"):
        get(server, tmp_path / "here")
    assert contents(tmp_path / "here") == {}


@pytest.mark.parametrize("spoilt", ["configs/metadata.json", "a"])
def test_a_broken_deflate_stream_is_told_of_in_one_line_and_leaves_nothing(
    publish: Publish, server: Server, tmp_path: Path, spoilt: str
) -> None:
    archive = publish().with_name(f"{NAME}_v0.1.0.zip")
    serve_archive(tmp_path / "site", {f"{NAME}/a": b"a" * 100})
    spoil(archive, f"{NAME}/{spoilt}")
    index_again(tmp_path / "site")
    with pytest.raises(InputError, match=r"^[^\n]*expected a whole archive, got Error -3 [^\n]*; download it again$"):
        get(server, tmp_path / "here")
    assert list((tmp_path / "here").iterdir()) == []


def test_an_archive_of_too_much_is_refused(
    publish: Publish, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish()
    monkeypatch.setattr("shared.zoo.archives.MOST_BYTES", 10**5)
    with pytest.raises(InputError, match=r"got \d+ entries, [\d,]+ bytes; do not use"):
        get(server, tmp_path / "here")


@pytest.mark.parametrize("version", ["0.0.9", "0.2.0"])
def test_an_archive_of_another_version_than_the_index_says_is_refused(
    publish: Publish, server: Server, tmp_path: Path, version: str
) -> None:
    publish()
    serve_archive(tmp_path / "site", {}, version)
    with pytest.raises(InputError, match=rf"expected {NAME} 0.1.0, as the index says, got {NAME} {version}"):
        get(server, tmp_path / "here")
    assert list((tmp_path / "here").iterdir()) == []


def test_a_newer_version_in_place_is_not_replaced_by_an_older(publish: Publish, server: Server, tmp_path: Path) -> None:
    publish("0.1.0")
    publish("0.2.0")
    get(server, tmp_path / "here")
    before = contents(tmp_path / "here")
    with pytest.raises(InputError, match=r"expected version 0.1.0 or older, to take its place, got the newer 0.2.0"):
        get(server, tmp_path / "here", f"{NAME}@0.1.0")
    assert contents(tmp_path / "here") == before


def test_an_older_version_in_place_is_kept_beside_the_newer(publish: Publish, server: Server, tmp_path: Path) -> None:
    publish("0.1.0")
    publish("0.2.0")
    place = get(server, tmp_path / "here", f"{NAME}@0.1.0")
    (place / "outputs").mkdir()
    (place / "outputs" / "mine.txt").write_text("x", encoding="utf-8")
    get(server, tmp_path / "here")
    assert json.loads((place / "configs" / "metadata.json").read_text(encoding="utf-8"))["version"] == "0.2.0"
    assert (tmp_path / "here" / f"{NAME}_v0.1.0" / "outputs" / "mine.txt").is_file()
    assert len(list((tmp_path / "here").iterdir())) == 2


def test_the_same_version_in_place_is_left_alone(publish: Publish, server: Server, tmp_path: Path) -> None:
    publish()
    place = get(server, tmp_path / "here")
    (place / "mine.txt").write_text("x", encoding="utf-8")
    assert get(server, tmp_path / "here") == place
    assert (place / "mine.txt").is_file()
    assert len(server.ranges) == 1


def test_something_else_in_place_is_not_touched(publish: Publish, server: Server, tmp_path: Path) -> None:
    publish()
    (tmp_path / "here" / NAME).mkdir(parents=True)
    (tmp_path / "here" / NAME / "thesis.txt").write_text("x", encoding="utf-8")
    with pytest.raises(InputError, match=r"expected no such folder, or a bundle, got something else"):
        get(server, tmp_path / "here")
    assert list(contents(tmp_path / "here")) == [f"{NAME}/thesis.txt"]


def test_a_call_that_is_killed_while_unpacking_leaves_nothing(
    publish: Publish, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish()

    def half(archive: Path, folder: Path) -> Path:
        (folder / NAME).mkdir()
        (folder / NAME / "half").write_text("x", encoding="utf-8")
        raise KeyboardInterrupt

    monkeypatch.setattr(downloading, "unpack", half)
    with pytest.raises(KeyboardInterrupt):
        get(server, tmp_path / "here")
    assert list((tmp_path / "here").iterdir()) == []
