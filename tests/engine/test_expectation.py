"""What a run says of its duration and memory, from its first cases."""

from pathlib import Path

import pytest

from shared.engine import expectation
from shared.engine.expectation import GIB, Expectation, size_on_disk, spoken_time


def test_time_goes_with_size_and_the_first_case_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expectation, "peak_memory", lambda: GIB)
    expected = Expectation([10, 10, 20, *[10] * 60])
    assert expected.after_case(50.0) == ""  # it prepared what the others found ready
    assert expected.after_case(2.0) == ""  # too little to go by
    assert expected.after_case(4.0).startswith("60 more cases: about 2 min, until ")  # 60 · 10 · 6 s / 30 = 120 s
    assert expected.after_case(2.0) == ""  # said once


def test_a_short_run_announces_nothing_but_much_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expectation, "machine_memory", lambda: 8.0 * GIB)
    used = iter([GIB, 2 * GIB, GIB, 2 * GIB])
    monkeypatch.setattr(expectation, "peak_memory", lambda: next(used))
    small = Expectation([10, 10, 10, 10])
    assert [small.after_case(4.0) for _ in range(4)] == [""] * 4
    large = Expectation([10, 10, 10, 40])  # a case of four times the size adds four times 1 GiB
    assert "about 5.0 GiB" in [large.after_case(4.0) for _ in range(4)][1]


def test_of_one_or_two_cases_nothing_is_expected() -> None:
    two = Expectation([10, 10])
    assert [two.after_case(100.0), two.after_case(100.0)] == ["", ""]


def test_a_folder_has_the_size_of_its_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(bytes(50))
    assert size_on_disk([str(tmp_path), str(tmp_path / "a")]) == 150
    assert size_on_disk([str(tmp_path / "none")]) == 1


@pytest.mark.parametrize(("seconds", "words"), [(61, "61 s"), (720, "12 min"), (12600, "3.5 h")])
def test_times_are_rounded_as_people_say_them(seconds: float, words: str) -> None:
    assert spoken_time(seconds) == words
