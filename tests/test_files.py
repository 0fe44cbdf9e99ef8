"""Text is read whoever wrote it; files are written whole or not at all; tables and JSON come back as they went."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.errors import InputError
from shared.files import (
    GrowingTable,
    read_grown_table,
    read_json,
    read_table,
    read_text,
    visible,
    visible_files,
    write_atomically,
    write_json,
    write_table,
)


@pytest.fixture
def umask() -> Iterator[None]:
    """Put the process's umask back after the test."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.parametrize("name", ["a.nii.gz", "a.b.nii.gz", "my scan v1.2.png", "summary.csv", "noending"])
def test_the_writer_gets_another_file_of_the_same_ending_and_folder(tmp_path: Path, name: str) -> None:
    path, seen = tmp_path / "new" / "folder" / name, []

    def write(temporary: Path) -> None:
        seen.append(temporary)
        temporary.write_text("new")

    assert write_atomically(path, write) == path
    assert path.read_text() == "new"
    assert seen[0] != path
    assert seen[0].parent == path.parent  # a move within one file system cannot be cut in two
    assert seen[0].name.startswith(".")  # so that no other run takes it for a result
    assert seen[0].name.endswith(".nii.gz" if name.endswith(".nii.gz") else path.suffix)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("before", [{}, {"a.txt": "old"}], ids=["new", "old"])
def test_a_failing_writer_leaves_the_folder_as_it_was(
    tmp_path: Path, error: type[BaseException], before: dict[str, str]
) -> None:
    for name, text in before.items():
        (tmp_path / name).write_text(text)

    def write(temporary: Path) -> None:
        temporary.write_text("half")
        raise error

    with pytest.raises(error):
        write_atomically(tmp_path / "a.txt", write)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == before


def test_a_killed_writer_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("old")
    script = (
        "import os, sys; from shared.files import write_atomically\n"
        "write_atomically(sys.argv[1], lambda path: (path.write_text('half'), os.kill(os.getpid(), 9)))"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path / "a.txt")], cwd=Path(__file__).parents[1])
    assert done.returncode == -9
    assert (tmp_path / "a.txt").read_text() == "old"


# The mode of a file made by open() is 0o666 without the bits of the umask.
@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_permissions_follow_the_umask(tmp_path: Path, umask: None, mask: int, mode: int) -> None:
    os.umask(mask)
    path = write_atomically(tmp_path / "a.txt", lambda temporary: temporary.write_text(""))
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert os.umask(mask) == mask  # and the process's own is as it was


def test_a_table_comes_back_as_text_with_the_columns_in_order_of_appearance(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"case": "000", "note": 'a, "b"\nc; ä'}, {"case": "1", "dice": 0.5, "note": None}]
    path = write_table(tmp_path / "t.csv", rows)
    assert path.read_text(encoding="utf-8").splitlines()[0] == "case,note,dice"
    assert read_table(path) == [
        {"case": "000", "note": 'a, "b"\nc; ä', "dice": ""},
        {"case": "1", "note": "", "dice": "0.5"},
    ]


def test_named_columns_are_written_even_without_rows_and_no_others(tmp_path: Path) -> None:
    assert write_table(tmp_path / "t.csv", [], ["case", "status"]).read_text().strip() == "case,status"
    rows = read_table(write_table(tmp_path / "t.csv", [{"other": 1, "status": "ok"}], ["case", "status"]))
    assert rows == [{"case": "", "status": "ok"}]


def test_a_growing_table_has_every_row_at_once_and_is_rewritten_for_new_columns_alone(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("of,an,earlier,run\n")
    table = GrowingTable(path, ["case", "status"])
    table.add({"case": "a", "status": "ok"}, {"case": "b\n2", "status": "ok"})
    inode = path.stat().st_ino
    table.add({"case": "c", "status": "failed"})
    assert path.stat().st_ino == inode  # appended to
    table.add({"case": "d", "status": "ok", "dice": 0.5})
    assert path.stat().st_ino != inode
    table.add({"case": "e"})
    rows = read_grown_table(path)
    assert [row["case"] for row in rows] == ["a", "b\n2", "c", "d", "e"]
    assert [row["dice"] for row in rows] == ["", "", "", "0.5", ""]


def test_of_a_table_cut_anywhere_the_whole_rows_are_read_and_no_half_one(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    rows = [{"case": "a", "note": "x,y"}, {"case": "b", "note": 'of "two"\nlines'}, {"case": "c", "note": "z"}]
    GrowingTable(path, ["case", "note"]).add(*rows)
    whole = path.read_bytes()
    # Of the \r\n that ends a row, and of the quote before it, all but the \n must be there.
    ends = [whole.index(b"x,y") + 5, whole.index(b"lines") + 7, len(whole) - 1]
    for length in range(whole.index(b"\n") + 1, len(whole) + 1):
        path.write_bytes(whole[:length])
        assert read_grown_table(path) == rows[: sum(end <= length for end in ends)], whole[:length]


def test_no_file_is_a_table_without_rows(tmp_path: Path) -> None:
    assert read_table(tmp_path / "t.csv") == []


def test_a_table_saved_by_excel_has_its_first_column(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text("moving,fixed\na,b\n", encoding="utf-8-sig")  # Excel's "CSV UTF-8" has a BOM
    assert read_table(tmp_path / "pairs.csv") == [{"moving": "a", "fixed": "b"}]


def test_json_comes_back_and_what_it_has_no_form_for_is_text(tmp_path: Path) -> None:
    path = write_json(tmp_path / "a.json", {"dice": [0.5, None], "path": Path("a/b"), "name": "ä"})
    assert json.loads(path.read_text(encoding="utf-8")) == {"dice": [0.5, None], "path": "a/b", "name": "ä"}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_json_is_such_as_every_parser_reads(tmp_path: Path, value: float) -> None:
    def refuse(constant: str) -> None:
        pytest.fail(f"{constant} is Python's, not RFC 8259's")

    json.loads(write_json(tmp_path / "a.json", {"hd95": [value]}).read_text(), parse_constant=refuse)


def test_a_folder_that_cannot_be_made_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file/out: expected a folder that can be written, got .+; .+--output_dir"):
        write_table(tmp_path / "file" / "out" / "a.csv", [{"x": 1}])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_text_is_read_in_each_encoding_that_shows_what_it_is(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes('{"name": "Zelle µ"}\r\n'.encode(encoding))
    assert read_text(path) == '{"name": "Zelle µ"}\n'
    assert read_json(path) == {"name": "Zelle µ"}


def test_a_table_is_read_in_utf_16_as_excel_saves_unicode_text(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text('moving,fixed\n"a\nµ",b\n', encoding="utf-16")
    assert read_table(tmp_path / "pairs.csv") == [{"moving": "a\nµ", "fixed": "b"}]
    (tmp_path / "pairs.csv").write_text("x" * 200_000)  # csv refuses fields of more than 131,072 characters
    with pytest.raises(InputError, match=r"pairs.csv: expected a table as CSV, got Error: field larger [^\n]+$"):
        read_table(tmp_path / "pairs.csv")


def test_what_is_no_text_and_no_json_is_refused_in_a_line(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"\xe4\xf6")
    with pytest.raises(InputError, match=r"a\.json: expected text in UTF-8, got UnicodeDecodeError"):
        read_text(path)
    path.write_bytes(b"a\0b")
    with pytest.raises(InputError, match=r"a\.json: expected text in UTF-8, got zeros among it"):
        read_text(path)
    with pytest.raises(InputError, match="expected a file that can be read, got Is a directory"):
        read_text(tmp_path)
    with pytest.raises(InputError, match="expected a file that can be read, got File name too long"):
        read_text(tmp_path / ("x" * 300))
    for content in ("", "{", "[" * 100_000):
        path.write_text(content)
        with pytest.raises(InputError, match=r"\A[^\n]*a\.json: expected JSON, got [^\n]*; correct the file\Z"):
            read_json(path)


def test_what_systems_and_killed_runs_leave_is_no_content(tmp_path: Path) -> None:
    for name in ("a.txt", "b/c.txt", "._a.txt", ".git/d.txt", "__MACOSX/a.txt", "Thumbs.db", ".DS_Store", ".x1y2.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [path.name for path in visible_files(tmp_path, "**/*.txt")] == ["a.txt", "c.txt"]
    assert [path.name for path in visible(tmp_path)] == ["a.txt", "b"]
    assert [path.name for path in visible_files(tmp_path, "**/*")] == ["a.txt", "c.txt"]
