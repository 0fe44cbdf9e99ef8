from typing import Any

import numpy as np
import pytest
import torch
from monai.data import Dataset
from monai.transforms import Compose
from torch import Tensor

from shared.tasks.detection.mosaic import MosaicDataset, ResizeLongestd, mirrored, resized

SHADES = (0.4, 0.6, 0.8, 1.0)  # of the rectangles of each image, its class by its place here


def pictures(count: int = 6) -> Dataset:
    """Images with two rectangles each, whose shade says their class, on black."""
    rng = np.random.default_rng(0)
    samples = []
    for number in range(count):
        image, objects = torch.zeros(1, 60, 80), []
        for place, label in ((0, number % 4), (40, (number + 1) % 4)):
            row, column = rng.integers(2, 20), place + rng.integers(2, 12)
            height, width = rng.integers(12, 30), rng.integers(10, 22)
            image[0, row : row + height, column : column + width] = SHADES[label]
            objects.append([row, column, row + height, column + width, label])
        samples.append({"image": image, "label": torch.tensor(objects, dtype=torch.float32)})
    return Dataset(samples)


def mosaics(**options: Any) -> MosaicDataset:
    return MosaicDataset(pictures(), Compose([]), **{"size": 96, "seed": 3, "last_mosaic": 5, **options})


def shade_within(image: Tensor, box: list[float]) -> np.ndarray:
    """The pixels of `box` but for those of its rim, which resizing mixes with what is around."""
    r1, c1, r2, c2 = (round(x) for x in box)
    return image[0, r1 + 2 : r2 - 2, c1 + 2 : c2 - 2].numpy()


@pytest.mark.parametrize("epoch", [1, 6])  # of four images, and of one
def test_boxes_stay_on_their_objects_however_these_are_turned_scaled_and_moved(epoch: int) -> None:
    data = mosaics()
    data.set_epoch(epoch)
    seen = 0
    for index in range(6):
        image, label = data[index]["image"], data[index]["label"]
        assert image.shape == (1, 96, 96)
        claimed = torch.zeros(96, 96, dtype=torch.bool)
        for *box, kind in label.tolist():
            inside = shade_within(image, box)
            if inside.size:
                seen += 1
                np.testing.assert_allclose(inside, SHADES[int(kind)], atol=0.02)  # bilinear weights sum to 1
            r1, c1, r2, c2 = (round(x) for x in box)
            claimed[max(0, r1 - 2) : r2 + 2, max(0, c1 - 2) : c2 + 2] = True
        # What is bright lies in a box, but for slivers of objects of which less than a fifth is left.
        assert float(((image[0] > 0.2) & ~claimed).float().mean()) < 0.02
    assert seen > (12 if epoch == 1 else 6)


def test_a_sample_depends_on_seed_epoch_and_index_alone() -> None:
    data, again, other = mosaics(), mosaics(), mosaics(seed=4)
    for dataset in (data, again, other):
        dataset.set_epoch(2)
    again[5], again[1]  # what was drawn before changes nothing
    assert torch.equal(data[0]["image"], again[0]["image"])
    assert torch.equal(data[0]["label"], again[0]["label"])
    assert not torch.equal(data[0]["image"], other[0]["image"])
    first = data[0]["image"]
    data.set_epoch(3)
    assert not torch.equal(data[0]["image"], first)


@pytest.mark.parametrize(("epoch", "scale"), [(5, 0.5), (6, 1.0)])
def test_scales_hold_up_to_the_last_mosaic_and_closing_scales_after_it(epoch: int, scale: float) -> None:
    data = mosaics(four=0.0, scales=(0.5, 0.5), closing_scales=(1.0, 1.0), aspect=1.0, size=100)
    data.set_epoch(epoch)
    for index in range(6):
        sample = pictures()[index]
        label = data[index]["label"]
        sides = sorted(sorted((r2 - r1, c2 - c1)) for r1, c1, r2, c2, _ in label.tolist())
        own = scale * sample["label"][:, :4]
        expected = sorted(sorted((r2 - r1, c2 - c1)) for r1, c1, r2, c2 in own.tolist())
        assert sides == expected  # turned and mirrored at most
        assert sorted(label[:, 4].tolist()) == sorted(sample["label"][:, 4].tolist())
        light = scale**2 * float(sample["image"].sum())
        assert float(data[index]["image"].sum()) == pytest.approx(light, rel=1e-5 if scale == 1 else 0.01)


def test_mirroring_twice_is_nothing_and_resizing_scales_the_corners() -> None:
    objects = torch.tensor([[2.0, 3, 10, 20, 1]])
    assert torch.equal(mirrored(mirrored(objects, 1, 40), 1, 40), objects)
    assert mirrored(objects, 1, 40).tolist() == [[2, 20, 10, 37, 1]]
    image, scaled = resized(torch.rand(3, 20, 40), objects, (10, 80))
    assert image.shape == (3, 10, 80)
    assert scaled.tolist() == [[1, 6, 5, 40, 1]]
    sample = ResizeLongestd("image", length=10)({"image": torch.rand(3, 7, 40), "label": objects})
    assert sample["image"].shape == (3, 2, 10)
    torch.testing.assert_close(sample["label"], torch.tensor([[2 * 2 / 7, 3 / 4, 10 * 2 / 7, 5.0, 1.0]]))


def test_a_small_picture_is_resized_as_if_it_were_as_large_as_the_smallest() -> None:
    """As `Letterbox` shows it: 32 pixels of which the network sees 40 as 20 are seen as 16."""
    given: Any = {"image": torch.rand(3, 16, 32), "label": torch.tensor([[2.0, 4, 8, 10, 1]])}
    sample = ResizeLongestd("image", length=20, smallest=40)(given)
    assert sample["image"].shape == (3, 8, 16)
    assert sample["label"].tolist() == [[1, 2, 4, 5, 1]]


def test_each_octave_of_the_scales_is_drawn_as_often() -> None:
    """Of factors from 1/4 to 4 half are below 1, of 200 within 3 standard deviations, 3 · sqrt(200) / 2 = 21."""
    data = mosaics(four=0.0, scales=(0.25, 4.0), aspect=1.0, size=400)
    areas = pictures()[0]["label"][:, :4]
    own = float((areas[0, 2] - areas[0, 0]) * (areas[0, 3] - areas[0, 1]))
    smaller = 0
    for epoch in range(200):
        objects = data._varied(pictures()[0], np.random.default_rng(epoch))[1]
        area = (objects[0, 2] - objects[0, 0]) * (objects[0, 3] - objects[0, 1])
        smaller += bool(area < own)
    assert abs(smaller - 100) < 22
