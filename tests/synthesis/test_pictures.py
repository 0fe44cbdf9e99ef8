"""The sheet shows the middle slices, upright, in the order of the volumes."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from shared.synthesis.pictures import GAP, draw_sheet


def test_slices_stand_upright_in_rows(tmp_path: Path) -> None:
    volumes = []
    for axis in range(4):
        volume = torch.zeros(1, 6, 7, 8)
        middle = [3, 3, 4]
        place = [5, 6, 7]  # the right front top corner of the slice
        place[axis % 3] = middle[axis % 3]
        volume[(0, *place)] = 1
        volumes.append(volume)
    path = draw_sheet(tmp_path / "sheet.png", volumes, columns=3, enlarged=1)
    sheet = np.asarray(Image.open(path))
    # The tallest slice is 8 high, the widest 7 wide: (y, z), (x, z), (x, y), then (y, z) below.
    assert sheet.shape == (2 * 8 + GAP, 3 * 7 + 2 * GAP)
    tiles = [sheet[top : top + 8, left : left + 7] for top, left in ((0, 0), (0, 11), (0, 22), (12, 0))]
    assert [np.argwhere(tile == 255).tolist() for tile in tiles] == [[[0, 6]], [[0, 5]], [[0, 5]], [[0, 6]]]
