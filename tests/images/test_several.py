"""Several data sets in one option."""

from pathlib import Path
from typing import Any

import pytest

from shared.errors import InputError
from shared.images.several import DataSet, data_sets


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("a/b", [DataSet(Path("a/b"))]),
        (Path("a/b"), [DataSet(Path("a/b"))]),
        (["a/b"], [DataSet(Path("a/b"))]),
        (["a/b", Path("c")], [DataSet(Path("a/b"), "b/"), DataSet(Path("c"), "c/")]),
        (["a/b", "c", "a/b/"], [DataSet(Path("a/b"), "b/", 2), DataSet(Path("c"), "c/")]),
        ("['a/b', 'c/']", [DataSet(Path("a/b"), "b/"), DataSet(Path("c"), "c/")]),  # as typed on a command line
        ("[x", [DataSet(Path("[x"))]),
        ("[x]", [DataSet(Path("[x]"))]),  # a name, and no list of texts
    ],
)
def test_cases_are_called_after_their_data_set_where_there_are_several(given: Any, expected: list[DataSet]) -> None:
    assert data_sets(given) == expected


def test_a_folder_that_is_called_like_a_list_is_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "['a']").mkdir()
    monkeypatch.chdir(tmp_path)
    assert data_sets("['a']") == [DataSet(Path("['a']"))]


@pytest.mark.parametrize("given", [[], ["a/x", "b/x"]])
def test_none_and_two_of_one_name_are_refused(given: list[str]) -> None:
    with pytest.raises(InputError, match=r"^--dataset_dir: expected one folder, or several of different names, got"):
        data_sets(given)
