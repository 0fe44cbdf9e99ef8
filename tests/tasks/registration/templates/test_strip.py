"""Templates one by one of lists of attributes."""

import pytest

from shared.errors import InputError
from shared.tasks.registration.templates.strip import each_of


def test_lists_of_attributes_are_taken_one_by_one_and_the_others_stay() -> None:
    assert each_of({"age": [20, 80], "sex": "F"}) == [{"age": 20, "sex": "F"}, {"age": 80, "sex": "F"}]
    assert each_of({"age": 20}) == [{"age": 20}]
    assert each_of({}) == [{}]


@pytest.mark.parametrize("attributes", [{"age": [20, 80], "weight": [60]}, {"age": []}])
def test_lists_of_different_lengths_are_refused(attributes: dict) -> None:
    with pytest.raises(InputError, match="lists of one length"):
        each_of(attributes)
