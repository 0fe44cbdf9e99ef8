import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from scipy import ndimage
from torch import Tensor

from shared.images.magnifying import Magnification
from shared.tasks.detection.inferer import LetterboxInferer, Suppressd

OPTIONS = {"input_size": 128, "tile_size": 160, "largest_whole": 320, "usual_tile": 160}


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
    # A pixel that the network sees is 1.25 of the image's.
    np.testing.assert_allclose(found, [box], atol=1.25)
    assert network.shown == [(round(size[0] * 128 / 160), round(size[1] * 128 / 160))]


def test_the_size_of_tiles_decides_at_what_scale_a_whole_image_is_seen() -> None:
    assert [detect((80, 40), [], tile_size=tile)[1].shown for tile in (160, 80, 320)] == [
        [(64, 32)], [(128, 64)], [(32, 16)],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("diameter", "pixel_size", "shown"),
    [
        (20, None, (64, 64)),  # the diameter that is known: 80 pixels at 128 / 160
        (10, None, (128, 128)),
        (40, 0.5, (32, 32)),  # what the user measured goes before the pixels
        ("", 0.5, (64, 64)),  # 10 µm are 20 pixels
        ("auto", 0.25, (32, 32)),
        ("", None, (64, 64)),
    ],
)
def test_an_image_is_enlarged_by_the_size_of_its_objects(
    diameter: object, pixel_size: float | None, shown: tuple[int, int]
) -> None:
    network = FindsSquares()
    known = Magnification(known_px=20, known_um=10, diameter=diameter)
    inferer = LetterboxInferer(**OPTIONS | {"tile_size": 0}, magnification=known)  # type: ignore[arg-type]
    image = image_of((80, 80), [(8, 16, 40, 48)])
    if pixel_size:
        image = MetaTensor(image, meta={"pixel_size": torch.tensor([pixel_size])})
    found = inferer(image, network)
    assert network.shown == [shown]
    # A pixel that the network sees is at most 2.5 of the image's.
    np.testing.assert_allclose(found[0, :4, 0], [8, 16, 40, 48], atol=2.5)


def test_objects_as_wide_as_known_are_estimated_without_another_run() -> None:
    """The look that finds them is the whole run: nothing is computed twice, and nothing is resized."""
    known = Magnification(known_px=20, known_um=10, diameter="auto", without_change=[15, 25])
    network, boxes = FindsSquares(), [(10, 10, 30, 30), (10, 50, 30, 70), (50, 10, 70, 30)]
    inferer = LetterboxInferer(**OPTIONS | {"tile_size": 0}, magnification=known)  # type: ignore[arg-type]
    inferer(image_of((80, 80), boxes), network)
    assert network.shown == [(64, 64)]


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
