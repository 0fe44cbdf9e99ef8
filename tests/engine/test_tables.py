import math

from shared.engine.tables import format_table


def test_names_stand_left_and_numbers_right_under_columns_of_their_width() -> None:
    rows = [{"case": "a", "dice": 0.5, "voxels": 12}, {"case": "long name", "dice": 0.123456, "voxels": 12345}]
    assert format_table(rows, ["case", "dice", "voxels"]).splitlines() == [
        "case         dice  voxels",
        "---------  ------  ------",
        "a             0.5      12",
        "long name  0.1235   12345",  # four significant digits; counts in full
    ]


def test_only_the_columns_asked_for_are_shown_in_their_order() -> None:
    rows = [{"a": 1, "b": 2, "c": 3}, {"c": 4}]
    assert format_table(rows, ["c", "a"]).splitlines() == ["c  a", "-  -", "3  1", "4"]


def test_none_is_a_dash_and_nan_is_told() -> None:
    table = format_table([{"metric": "x", "mean": None}, {"metric": "y", "mean": math.nan}], ["metric", "mean"])
    assert [line.split() for line in table.splitlines()[2:]] == [["x", "–"], ["y", "nan"]]


def test_rows_beyond_most_are_counted() -> None:
    rows = [{"n": i} for i in range(5)]
    assert format_table(rows, ["n"], most=3).splitlines()[2:] == ["0", "1", "2", "… and 2 more"]
    assert format_table(rows, ["n"], most=5).splitlines()[2:] == ["0", "1", "2", "3", "4"]


def test_a_table_of_no_rows_is_its_head() -> None:
    assert format_table([], ["case", "dice"]) == "case  dice\n----  ----"
