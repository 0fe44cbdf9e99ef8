from pathlib import Path

import pytest

from shared.errors import InputError
from shared.files import read_json, read_text, visible_files


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_text_is_read_in_each_encoding_that_says_what_it_is(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Zelle µ\n", encoding=encoding)
    assert read_text(tmp_path / "a.txt") == "Zelle µ\n"


def test_what_is_no_text_and_no_json_is_refused_in_a_line(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"\xe4\xf6")
    with pytest.raises(InputError, match=r"a\.json: expected text in UTF-8, got UnicodeDecodeError"):
        read_text(path)
    with pytest.raises(InputError, match="expected text in UTF-8, got IsADirectoryError"):
        read_text(tmp_path)
    for content in ("", "{", "[" * 100_000):
        path.write_text(content)
        with pytest.raises(InputError, match=r"\A[^\n]*a\.json: expected JSON, got [^\n]*; correct the file\Z"):
            read_json(path)


def test_hidden_files_are_passed_over(tmp_path: Path) -> None:
    for name in ("a.txt", "b/c.txt", "._a.txt", ".git/d.txt", "__MACOSX/a.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [path.name for path in visible_files(tmp_path, "**/*.txt")] == ["a.txt", "c.txt"]
