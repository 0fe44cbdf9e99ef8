import re
from pathlib import Path
from typing import Any

import pytest

from shared.errors import InputError
from shared.images import standard
from shared.tasks.registration.cases import find_pairs


def table(folder: Path, *lines: str, encoding: str = "utf-8") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pairs.csv").write_text("\n".join(lines) + "\n", encoding=encoding)
    return folder


def refused(words: str) -> Any:
    return pytest.raises(InputError, match=rf"\A[^\n]*expected [^\n]*{re.escape(words)}[^\n]*\Z")


def test_paths_are_relative_to_the_table_and_ids_stay_text(tmp_path: Path) -> None:
    folder = table(tmp_path, "id,moving,fixed,fixed_label", "000,a.nii,sub/b.nii.gz,", "1e3,c.png, d.png ,l.png")
    assert find_pairs(folder) == find_pairs(folder / "pairs.csv") == [
        {"case": "000", "moving": str(tmp_path / "a.nii"), "fixed": str(tmp_path / "sub/b.nii.gz")},
        {"case": "1e3", "moving": str(tmp_path / "c.png"), "fixed": str(tmp_path / "d.png"),
         "fixed_label": str(tmp_path / "l.png")},
    ]  # fmt: skip


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_an_id_defaults_to_the_names_of_both(tmp_path: Path, encoding: str) -> None:
    folder = table(tmp_path, "moving,fixed", "x/a.v1.nii.gz,y/b.PNG", "/abs/c.dcm,b.tif", encoding=encoding)
    assert [pair["case"] for pair in find_pairs(folder)] == ["a.v1_to_b", "c_to_b"]
    assert find_pairs(folder)[1]["moving"] == "/abs/c.dcm"


def test_one_pair_is_named_without_a_table(tmp_path: Path) -> None:
    pair = find_pairs(tmp_path, moving="m.nii", fixed="f.nii", moving_label="l.nii")
    assert pair == [{"case": "m_to_f", "moving": "m.nii", "fixed": "f.nii", "moving_label": "l.nii"}]
    with refused("both moving and fixed, got no fixed"):
        find_pairs(tmp_path, moving="m.nii")


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["moving,fixed", "a.nii,b.nii", "c/a.nii,b.nii"], "each id once, got a_to_b again"),
        (["id,moving,fixed", "1,a.nii,b.nii", "1,b.nii,a.nii"], "each id once, got 1 again"),
        (["id,moving,fixed", "../1,a.nii,b.nii"], "an id that can name a folder, got '../1'"),
        (["id,moving,fixed", "..,a.nii,b.nii"], "an id that can name a folder"),
        (["moving,fixed", "a.nii,"], "both moving and fixed, got no fixed"),
        (["moving;fixed", "a.nii;b.nii"], "the columns moving, fixed, got moving;fixed"),
        (["moving,fixed"], "a table of pairs"),
    ],
)
def test_a_table_that_says_something_else_is_refused(tmp_path: Path, lines: list[str], words: str) -> None:
    with refused(words):
        find_pairs(table(tmp_path, *lines))


def test_the_line_of_a_bad_pair_is_told_as_a_spreadsheet_counts(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"pairs\.csv, line 3:"):
        find_pairs(table(tmp_path, "moving,fixed", "a.nii,b.nii", ",b.nii"))


def test_no_table_is_told_with_what_to_do(tmp_path: Path) -> None:
    with refused("a table of pairs with the columns moving, fixed, got none, or no rows; write it, or give --moving"):
        find_pairs(tmp_path)


def test_a_standard_frame_is_named_by_its_word_and_found_where_its_package_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standard, "standard_file", lambda word: Path(f"/packages/{word}.nii.gz"))
    (pair,) = find_pairs(tmp_path, moving="m.nii", fixed="mni152")
    assert pair == {"case": "m_to_mni152", "moving": "m.nii", "fixed": "/packages/mni152.nii.gz"}
    rows = find_pairs(table(tmp_path, "moving,fixed", "a.nii,mni152", "b.nii,./mni152"))
    assert [row["fixed"] for row in rows] == ["/packages/mni152.nii.gz", str(tmp_path / "mni152")]
    assert rows[0]["case"] == "a_to_mni152"
