from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from PIL import Image

from shared.tasks.detection.pictures import as_picture, draw_boxes, draw_detection_scores
from shared.tasks.segmentation.pictures import COLOURS

NAMES = ["a", "b"]


def near(picture: np.ndarray, index: int) -> np.ndarray:
    """Which pixels of a drawing have about the colour of a class, on a light ground."""
    colour = 255 * np.array(to_rgb(COLOURS[index]))
    return (abs(picture.astype(float) - colour) < 45).all(axis=-1)


@pytest.mark.parametrize("size", [(480, 640), (3000, 4000), (60, 90)])
def test_a_box_is_drawn_where_it_is_in_a_picture_of_readable_size(tmp_path: Path, size: tuple[int, int]) -> None:
    image = np.full((3, *size), 200.0)
    image[:, 0] = 0
    box = [0.25 * size[0], 0.5 * size[1], 0.75 * size[0], 0.75 * size[1]]
    found = torch.tensor([[*box, 0.87, 1]])
    with Image.open(draw_boxes(tmp_path / "a.png", image, found.numpy(), class_names=NAMES, title="case")) as file:
        drawn = np.asarray(file.convert("RGB"))
    assert 480 <= max(drawn.shape[:2]) <= 1700
    if size[1] >= 640:
        assert drawn.shape[1] >= 1280
    top, bottom = 25, 28  # of the title and the legend, with gaps
    height = drawn.shape[0] - top - bottom
    rows, columns = np.nonzero(near(drawn, 1)[top:-bottom])
    # In shares of the picture's size; a line is some pixels wide.
    assert rows.min() / height == pytest.approx(0.25, abs=0.02)
    assert rows.max() / height == pytest.approx(0.75, abs=0.02)
    assert (columns.max() - columns.min()) / (height * size[1] / size[0]) == pytest.approx(0.25, abs=0.03)
    assert not near(drawn, 0)[top:-bottom].any()  # nothing of class "a"


def test_images_of_any_depth_are_shown_from_their_least_to_their_largest_value() -> None:
    deep = np.linspace(100, 60_000, 4 * 5 * 6).reshape(4, 5, 6)  # colour and alpha
    picture = as_picture(deep)
    assert picture.shape == (5, 6, 3)
    assert (picture.min(), picture.max()) == (0, 1)
    assert as_picture(np.zeros((1, 5, 6))).shape == (5, 6)
    assert max(as_picture(np.zeros((1, 50, 6000))).shape) <= 1600


def test_scores_are_drawn_even_where_a_class_is_missing(tmp_path: Path) -> None:
    path = draw_detection_scores(
        tmp_path / "scores.png", curves={"a": np.ones((2, 101))}, pairs=np.array([[3, 0, 1], [0, 0, 0], [2, 0, 0]]),
        counts={"a": [(4, 5)], "b": [(0, 0)]}, class_names=NAMES,
    )  # fmt: skip
    with Image.open(path) as file:
        assert file.size[0] > 1200
        assert near(np.asarray(file.convert("RGB")), 0).sum() > 100  # the curve of "a"
