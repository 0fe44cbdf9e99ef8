"""SyN as a yardstick, called as bundles are."""

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from shared.errors import InputError
from shared.images.file import ImageFile
from shared.studies.registering import registration_by


def blob(row: int, column: int) -> ImageFile:
    values = np.zeros((1, 64, 56, 1), np.float32)
    values[0, row : row + 20, column : column + 16] = 1
    return ImageFile(Path("blob"), gaussian_filter(values, (0, 2, 2, 0)), np.diag([1.5, 2.0, 1, 1]))


def test_without_antspyx_a_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ants", None)
    with pytest.raises(InputError, match=r"^syn: expected the package antspyx, got none; pip install antspyx$"):
        registration_by("syn", {})(moving=blob(20, 20), fixed=blob(22, 24))


@pytest.mark.client
def test_its_field_is_one_as_those_of_the_zoo_are() -> None:
    pytest.importorskip("ants", reason="needs antspyx")
    moving, fixed = blob(20, 20), blob(24, 24)
    found = registration_by("syn", {})(moving=moving, fixed=fixed, moving_label=moving)
    off = {name: np.abs(found.images[name] - found.images["fixed"]).mean() for name in ("moving", "moved")}
    assert off["moved"] < 0.2 * off["moving"]
