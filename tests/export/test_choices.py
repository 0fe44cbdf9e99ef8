"""What was the fastest is remembered, and nothing fails where it cannot be."""

from pathlib import Path

import pytest

from shared.export.choices import Choice, choices_file, key_of, remember, remembered

FIRST = Choice(bundle="cells", runtime="onnx", ms={"torch": 3.0, "onnx": 2.0})
OTHER = Choice(bundle="nuclei", runtime="torch", ms={"torch": 1.0})


@pytest.fixture(autouse=True)
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    return tmp_path / "caches"


def test_choices_are_kept_side_by_side_by_what_they_hold_for() -> None:
    keys = [key_of(weights="a", threads=2), key_of(weights="a", threads=1)]
    assert len({*keys}) == 2
    assert key_of(threads=2, weights="a") == keys[0]
    assert remembered(keys[0]) is None
    for key, choice in zip(keys, (FIRST, OTHER)):
        remember(key, choice)
    assert [remembered(key) for key in keys] == [FIRST, OTHER]


def test_another_processor_or_another_version_is_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    here = key_of(weights="a")
    monkeypatch.setattr("shared.export.choices.processor", lambda: "abacus")
    elsewhere = key_of(weights="a")
    monkeypatch.setattr("shared.export.choices.metadata.version", lambda name: "0.0")
    assert len({here, elsewhere, key_of(weights="a")}) == 3


@pytest.mark.parametrize("content", ["", "[]", "{", '{"key": 5}', '{"key": {"runtime": "onnx"}}'])
def test_a_spoilt_file_is_as_none_and_is_replaced(content: str) -> None:
    choices_file().parent.mkdir(parents=True)
    choices_file().write_text(content, encoding="utf-8")
    assert remembered("key") is None
    remember("key", FIRST)
    assert remembered("key") == FIRST


def test_a_folder_that_cannot_be_made_is_no_error(caches: Path) -> None:
    caches.write_text("a file", encoding="utf-8")
    remember("key", FIRST)
    assert remembered("key") is None
