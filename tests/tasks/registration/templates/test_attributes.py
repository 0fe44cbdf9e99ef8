"""Attributes as numbers: what is known of a subject, and what is not."""

from pathlib import Path

import pytest
import torch

from shared.errors import InputError
from shared.tasks.registration.templates.attributes import AttributeTable, encode, width

COLUMNS: dict = {"age": [50, 20], "sex": ["F", "M"]}


def test_a_number_is_standardised_and_a_category_is_one_of_several() -> None:
    assert width(COLUMNS) == 3
    assert encode(COLUMNS, {"age": 70, "sex": "M"}, "here").tolist() == [1, 0, 1]
    assert encode(COLUMNS, {"age": "30"}, "here").tolist() == [-1, 0, 0]  # as a table has it; what is not known is 0


@pytest.mark.parametrize(
    ("attributes", "words"),
    [({"weight": 1}, "got weight"), ({"age": "old"}, "a number as age"), ({"sex": "X"}, "sex of F, M")],
)
def test_what_means_nothing_is_refused(attributes: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        encode(COLUMNS, attributes, "--attributes")


@pytest.mark.parametrize("entry", [[50, 0], [50], "age", ["F", 1], []])
def test_a_column_is_a_mean_and_a_deviation_or_categories(entry: object) -> None:
    with pytest.raises(InputError, match="its mean and standard deviation, or its categories"):
        width({"age": entry})  # type: ignore[dict-item]


def test_a_table_gives_the_codes_of_a_case(tmp_path: Path) -> None:
    path = tmp_path / "attributes.csv"
    path.write_text("id,height,age,sex\n001,180,90,F\n1,160,50,M\n", encoding="utf-8")
    table = AttributeTable(path, COLUMNS)
    assert table.codes_of("001").tolist() == [2, 1, 0]
    with pytest.raises(InputError, match="a row of 002"):
        table.codes_of("002")


def test_a_table_that_lacks_a_column_or_repeats_an_id_is_refused(tmp_path: Path) -> None:
    for text, words in (("id,age\na,1\n", "got no sex"), ("id,age,sex\na,1,F\na,1,F\n", "each id once")):
        path = tmp_path / "attributes.csv"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match=words):
            AttributeTable(path, COLUMNS).codes_of("a")


def test_without_a_table_every_attribute_is_its_mean(tmp_path: Path) -> None:
    assert torch.equal(AttributeTable(tmp_path / "none.csv", COLUMNS).codes_of("a"), torch.zeros(3))
