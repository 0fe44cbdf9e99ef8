import numpy as np
import pytest

from shared.tasks.instances.widths import typical_width


def test_the_width_is_the_median_of_the_roots_of_areas_whatever_the_ids() -> None:
    ids = np.zeros((60, 90), dtype=np.int32)
    ids[2:22, 2:22], ids[30:40, 10:20], ids[30:36, 40:46] = 7, 2**31 - 1, 3
    assert typical_width(ids) == pytest.approx(10)  # of 20, 10 and 6: all even, so thinning changes nothing
    assert typical_width(np.zeros((5, 5), dtype=np.int32)) is None
