"""Boxes in numpy are what they are in torch."""

import numpy as np
import pytest

from shared.detection.boxes import intersection_over_union
from shared.detection.greedy import overlaps
from tests.detection.test_suppression import crowd


@pytest.mark.parametrize("dims", [2, 3])
def test_overlaps_are_those_of_torch(dims: int) -> None:
    boxes, _ = crowd(40, dims)
    expected = intersection_over_union(boxes[:, None], boxes).numpy()
    assert 0.1 < (expected > 0).mean() < 0.9
    np.testing.assert_allclose(overlaps(boxes.numpy()[:, None], boxes.numpy()), expected, rtol=1e-5, atol=1e-7)


def test_empty_boxes_overlap_nothing() -> None:
    assert overlaps(np.zeros(4), np.zeros(4)) == 0
