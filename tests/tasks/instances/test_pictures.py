from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared.tasks.instances.pictures import draw_instances, draw_sheet, outlined

IDS = np.zeros((40, 60), dtype=np.int32)
IDS[5:15, 5:20], IDS[5:15, 20:35], IDS[25:35, 40:55] = 1, 2, 3


def test_each_instance_has_an_outline_of_one_colour_that_its_neighbours_have_not() -> None:
    picture = outlined(np.zeros((1, 40, 60)), IDS, within=(1, 1000))
    assert picture.shape == (40, 60, 3)
    colours = []
    for number, (top, left) in enumerate(((5, 5), (5, 20), (25, 40)), start=1):
        inside = picture[number == IDS]
        drawn = np.unique(inside[inside.any(axis=1)], axis=0)
        assert len(drawn) == 1
        colours.append(drawn[0].astype(int))
        assert picture[top, left].any()
        assert not picture[top + 4, left + 5].any()  # the inside is left as it is
    assert not picture[IDS == 0].any()
    assert min(np.abs(colours[i] - colours[j]).sum() for i, j in ((0, 1), (0, 2), (1, 2))) > 150


@pytest.mark.parametrize(("size", "expected"), [((40, 60), (80, 120)), ((1000, 700), (200, 140))])
def test_small_pictures_are_enlarged_and_large_ones_thinned(size: tuple[int, int], expected: tuple[int, int]) -> None:
    ids = np.zeros(size, dtype=np.int32)
    assert outlined(np.random.default_rng(0).random((3, *size)), ids, within=(120, 200)).shape == (*expected, 3)


@pytest.mark.parametrize(("side", "expected"), [(12, 2), (21, 3), (120, 4)])
def test_an_outline_is_wider_where_instances_are(side: int, expected: int) -> None:
    ids = np.zeros((300, 300), dtype=np.int32)
    ids[100 : 100 + side, 100 : 100 + side] = 1
    picture = outlined(np.zeros((1, 300, 300)), ids, within=(300, 300))
    assert picture[100 + side // 2, 100 : 100 + side // 2].any(axis=1).tolist() == [
        column < expected for column in range(side // 2)
    ]


def test_a_sheet_shows_of_a_large_picture_the_part_that_is_wrong_in_its_own_pixels(tmp_path: Path) -> None:
    reference = np.zeros((1000, 1200), dtype=np.int32)
    reference[20:60, 20:60], reference[700:740, 900:940] = 1, 2
    found = np.where(reference == 1, 1, 0)  # one is missed, whose colour is in the lower half of the sheet alone
    with Image.open(draw_sheet(tmp_path / "sheet.png", [("a", np.zeros((1, 1000, 1200)), found, reference)])) as sheet:
        halves = np.array_split(np.asarray(sheet).astype(int), 2)
    coloured = [(half.max(axis=2) - half.min(axis=2) > 50).sum() for half in halves]
    assert coloured == [0, 40**2 - 32**2]  # the border, 4 wide, of an instance of 40 pixels


def test_rgba_colours_stay_and_the_picture_and_sheet_are_written(tmp_path: Path) -> None:
    image = np.zeros((4, 40, 60))
    image[0] = 200
    image[:, :2] = 255
    with Image.open(draw_instances(tmp_path / "a.png", image, IDS)) as stored:
        red, green, blue = np.asarray(stored)[-1, -1]
    assert (red, green, blue) == (200, 0, 0)
    cases = [(f"case {i}", image, IDS, IDS) for i in range(7)]
    with Image.open(draw_sheet(tmp_path / "sheet.png", cases)) as sheet:
        assert sheet.width > 1000
