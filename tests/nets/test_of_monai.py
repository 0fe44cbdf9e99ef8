"""MONAI's networks, of as many levels as they need."""

import pytest

from shared.nets.of_monai import EffUNet, of_levels


@pytest.mark.parametrize(
    ("filters", "expected"),
    [([1, 2, 3], [1, 2, 3, 3, 3]), ([1, 2, 3, 4, 5], [1, 2, 3, 4, 5]), ([1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5])],
)
def test_the_last_level_stands_for_those_that_are_missing(filters: list[int], expected: list[int]) -> None:
    assert of_levels(filters) == expected


def test_the_encoder_is_efficientnet_b0_without_its_classifier() -> None:
    encoder = EffUNet(2, 3, 2, filters=[4, 4, 4, 4, 4]).network.get_submodule("encoder")
    # 5.3 M in table 1 of the paper; without the classifier's 1000 × 1281, its norm and the 320 × 1280 before it.
    assert sum(p.numel() for p in encoder.parameters()) == 5_288_548 - 1000 * 1281 - 2 * 1280 - 320 * 1280
