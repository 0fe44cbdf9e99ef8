"""What channels are called. How they are chosen is tested with the images that have them, in test_reading.py."""

import pytest

from shared.images.channels import COLOUR_NAMES, colour_name


@pytest.mark.parametrize(("on", "name"), COLOUR_NAMES.items())
def test_a_colour_is_called_after_the_primaries_that_are_more_than_half_on(on: tuple[int, ...], name: str) -> None:
    nearest, other = ([128 if part else 127 for part in on], [255 if part else 0 for part in on])
    assert colour_name(*nearest) == colour_name(*other) == name
    assert colour_name(127, 127, 127) == ""
