import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from shared.errors import InputError
from shared.images.boxes import box_in_order, check_size, checked_box, picture_size


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_size_is_that_of_the_upright_picture(ending: str, orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a.{ending}"
    Image.new("RGB", (30, 20)).save(path, exif=exif)
    with Image.open(path) as picture:
        assert picture_size(path) == ImageOps.exif_transpose(picture).size


def test_the_size_of_what_pillow_cannot_open_is_known_too_and_of_no_picture_none(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((20, 30, 5), dtype=np.float32), photometric="minisblack")
    (tmp_path / "b.png").write_bytes(b"nothing")
    assert picture_size(tmp_path / "b.png") is None
    tifffile.imwrite(tmp_path / "c.tif", np.zeros((20, 30), dtype=np.int64))
    assert picture_size(tmp_path / "c.tif") == (30, 20)


@pytest.mark.parametrize("corners", [[1, 2, 30, 40], [30, 2, 1, 40], [1, 40, 30, 2], [30, 40, 1, 2]])
def test_corners_are_put_in_order(corners: list[float]) -> None:
    assert box_in_order(corners, "a") == [1, 2, 30, 40]


@pytest.mark.parametrize(
    ("corners", "words"),
    [
        (json.loads("[1, NaN, 3, 4]"), "expected four finite numbers"),
        (json.loads("[1, 2, Infinity, 4]"), "expected four finite numbers"),
        ([1, 2, 10**400, 4], "expected four finite numbers"),
        ([1, 2, "30", 4], "expected four finite numbers"),
        ([1, 2, True, 4], "expected four finite numbers"),
        (None, "expected four finite numbers, got None"),
        ([1, 2, 3], "expected four numbers, got 3"),
        ([0.1, 0.2, 0.5, 1], "expected pixels, got shares of the picture"),
        ([110, 10, 120, 20], "expected a box within the picture, 100 × 80, got 110"),
        ([-10, 10, 0, 20], "expected a box within the picture, 100 × 80, got -10"),
        ([10, 10, 1e8, 20], "expected coordinates within the picture, 100 × 80"),
    ],
)
def test_a_box_that_cannot_be_meant_is_refused_with_its_entry(corners: Any, words: str) -> None:
    with pytest.raises(InputError, match=rf"\Aa\.xml, object 3: {words}[^\n]*; [^\n]+\Z"):
        checked_box(corners, (100, 80), "a.xml, object 3")


def test_a_pixel_in_the_corner_and_a_box_across_the_border_are_boxes() -> None:
    assert checked_box([0, 0, 1, 1], (100, 80), "") == [0, 0, 1, 1]
    assert checked_box([-5, 70, 20.5, 90], (100, 80), "") == [-5, 70, 20.5, 90]


def test_a_declared_size_must_be_that_of_the_picture_or_0() -> None:
    check_size((100, 80), (100, 80), "")
    check_size((0, 0), (100, 80), "")
    check_size((100, 80), None, "")
    with pytest.raises(InputError, match="upright picture, 100 × 80, got 80 × 100"):
        check_size((80, 100), (100, 80), "a.xml")
