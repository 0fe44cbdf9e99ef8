import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

from shared.tasks.detection.inferer import LetterboxInferer, Suppressd

OPTIONS = {"input_size": 128, "tile_size": 160, "largest_whole": 320}


class FindsSquares:
    """A detector of one class that finds each bright blob of an image exactly, and keeps what sizes it was shown."""

    def __init__(self) -> None:
        self.shown: list[tuple[int, ...]] = []

    def __call__(self, image: Tensor) -> Tensor:
        self.shown.append(tuple(image.shape[2:]))
        labels, count = ndimage.label(image[0, 0].numpy() > 0.5)
        rows = [[s[0].start, s[1].start, s[0].stop, s[1].stop, 0.9] for s in ndimage.find_objects(labels)]
        rows += [[0, 0, 1, 1, 0.0]] * (20 - count)  # a network gives the same number whatever it sees
        return torch.tensor(rows, dtype=torch.float32).T[None]


def image_of(size: tuple[int, int], boxes: list[tuple[int, int, int, int]]) -> Tensor:
    image = torch.zeros(1, 3, *size)
    for r1, c1, r2, c2 in boxes:
        image[:, :, r1:r2, c1:c2] = 1
    return image


def detect(size: tuple[int, int], boxes: list, **options: int) -> tuple[np.ndarray, FindsSquares]:
    network, image = FindsSquares(), image_of(size, boxes)
    found = LetterboxInferer(**{**OPTIONS, **options})(image, network)  # type: ignore[arg-type]
    kept = Suppressd("pred", min_score=0.5, overlap=0.5, most=100)({"image": image[0], "pred": found[0]})["pred"]
    return np.array(sorted(kept[:, :4].tolist())), network


@pytest.mark.parametrize("size", [(160, 160), (320, 240), (100, 300), (90, 60), (33, 157)])
def test_boxes_are_in_pixels_of_the_image_whatever_its_size_and_aspect(size: tuple[int, int]) -> None:
    box = (size[0] // 4, size[1] // 4, size[0] // 4 + 16, size[1] // 4 + 24)
    found, network = detect(size, [box])
    # A pixel that the network sees is at most 2.5 of the image's.
    np.testing.assert_allclose(found, [box], atol=2.5)
    (shown,) = network.shown
    assert max(shown) <= 128
    assert shown[0] / shown[1] == pytest.approx(size[0] / size[1], rel=0.05)


def test_a_small_image_is_not_enlarged_beyond_the_scale_of_a_tile() -> None:
    _, network = detect((80, 40), [(10, 10, 30, 30)])
    assert network.shown == [(64, 32)]  # 128/160 of its size


def test_an_object_on_a_seam_is_found_once_and_whole() -> None:
    """Tiles of 160 with 64 in common begin at 0, 96, 192, …: every object lies across a border of some tile."""
    boxes = [(90, 140, 130, 180), (150, 300, 190, 340), (250, 20, 290, 60), (300, 380, 340, 400)]
    found, network = detect((340, 400), boxes)
    assert len(network.shown) == 3 * 4
    assert set(network.shown) == {(128, 128)}
    np.testing.assert_allclose(found, sorted(boxes), atol=1.5)


def test_no_more_than_so_many_boxes_of_a_tile_are_kept() -> None:
    inferer = LetterboxInferer(**OPTIONS, most=5)  # type: ignore[arg-type]
    found = inferer(image_of((340, 400), []), FindsSquares())
    assert found.shape == (1, 5, 5 * 12)


def test_a_slide_may_hold_more_objects_than_are_kept_of_a_tile() -> None:
    boxes = [(r, c, r + 10, c + 10) for r in range(10, 320, 50) for c in range(10, 380, 50)]
    assert len(detect((340, 400), boxes)[0]) == len(boxes) == 56
    image, network = image_of((340, 400), boxes), FindsSquares()
    found = LetterboxInferer(**OPTIONS, most=20)(image, network)  # type: ignore[arg-type]
    kept = Suppressd("pred", min_score=0.5, overlap=0.5, most=20)({"image": image[0], "pred": found[0]})["pred"]
    assert len(kept) == len(boxes)


def test_of_what_is_found_the_sure_and_distinct_is_kept_surest_first() -> None:
    image = torch.zeros(3, 50, 100)
    boxes = torch.tensor([[10.0, 10, 30, 30], [11, 10, 30, 30], [60, 60, 70, 120], [0, 0, 5, 5]])
    scores = torch.tensor([[0.6, 0.7, 0.0, 0.01], [0.0, 0.65, 0.9, 0.0]])
    pred = torch.cat([boxes.T, scores])
    kept = Suppressd("pred", min_score=0.05, overlap=0.5, most=10)({"image": image, "pred": pred})["pred"]
    expected = [  # the second box is of both classes; the third, cut to the image, is empty there but still a box
        [50, 60, 50, 100, 0.9, 1],
        [11, 10, 30, 30, 0.7, 0],
        [11, 10, 30, 30, 0.65, 1],
    ]
    torch.testing.assert_close(kept, torch.tensor(expected))
    none = Suppressd("pred", min_score=0.95, overlap=0.5, most=10)({"image": image, "pred": pred})["pred"]
    assert none.shape == (0, 6)
