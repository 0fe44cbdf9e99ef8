"""Intensities of 8 bits and of more, with and without pixels that are broken."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import ScaleIntensity
from PIL import Image

from shared.images.scaling import ScaleByRanged

SAMPLES = Path("bundles/blood_cell_yolo_detection/sample_data/JPEGImages")
PICTURE = np.moveaxis(np.asarray(Image.open(sorted(SAMPLES.glob("*.jpg"))[0])), -1, 0).astype(np.float32)


def scaled(array: Any) -> np.ndarray:
    return np.asarray(ScaleByRanged("image")({"image": MetaTensor(torch.tensor(np.asarray(array)))})["image"])


def test_8_bits_are_scaled_as_by_monai_to_the_last_digit() -> None:
    np.testing.assert_array_equal(scaled(PICTURE), np.asarray(ScaleIntensity()(torch.tensor(PICTURE))))
    spoilt = PICTURE.copy()
    spoilt[:, 9, 9] = 255  # may well be what the picture has
    np.testing.assert_array_equal(scaled(spoilt), np.asarray(ScaleIntensity()(torch.tensor(spoilt))))


@pytest.mark.parametrize("factor", [16, 1 / 255, 257, 1e6])
@pytest.mark.parametrize("count", [1, 100])
def test_hot_and_dead_pixels_of_more_bits_change_nothing_but_themselves(factor: float, count: int) -> None:
    deep = (PICTURE * factor).astype(np.float32)
    spoilt = deep.copy()
    rows, columns = np.random.default_rng(0).integers(0, 480, (2, 2 * count))
    spoilt[:, rows[:count], columns[:count]] = 100 * deep.max()
    spoilt[:, rows[count:], columns[count:]] = -100 * deep.max()
    sound = np.ones(PICTURE.shape, dtype=bool)
    sound[:, rows, columns] = False
    # The darkest and the brightest pixel may be among those spoilt: a level of 135.
    np.testing.assert_allclose(scaled(spoilt)[sound], scaled(deep)[sound], atol=0.01)
    np.testing.assert_allclose(scaled(deep), scaled(PICTURE), atol=1e-5)  # float32
    assert (scaled(spoilt).min(), scaled(spoilt).max()) == (0, 1)


def test_a_few_bright_pixels_are_all_the_contrast_there_is() -> None:
    array = np.zeros((1, 200, 200), dtype=np.float32)
    array[0, 3, 4] = 4000
    np.testing.assert_array_equal(scaled(array), array / 4000)


def test_bytes_are_scaled_as_floats_are_to_half_precision() -> None:
    in_bytes = scaled(np.tile(PICTURE, (1, 2, 1)).astype(np.uint8))  # 960 rows, more than are scaled at a time
    assert in_bytes.dtype == np.float16
    # Below 1 the numbers of half precision are at most 2^-11 apart, a ninth of a level of 255.
    np.testing.assert_allclose(in_bytes, scaled(np.tile(PICTURE, (1, 2, 1))), atol=2**-12)
