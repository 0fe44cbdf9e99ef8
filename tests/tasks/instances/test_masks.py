"""Black and white masks become instances; maps of ids stay as they are."""

import io
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from PIL import Image

from shared.errors import InputError
from shared.tasks.instances.cases import count_instances
from shared.tasks.instances.masks import as_ids
from shared.tasks.instances.transforms import InstancesToTruthd, ReadInstancesd

TWO = np.zeros((24, 40), dtype=np.uint8)
TWO[2:10, 3:12], TWO[12:20, 20:36] = 1, 1


@pytest.mark.parametrize("value", [255, 1, 65535])
def test_a_mask_of_one_value_is_split_into_its_parts_as_training_does_it(
    value: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.png"
    Image.fromarray((TWO.astype(np.uint16) * value) if value > 255 else TWO * np.uint8(value)).save(path)
    case: dict[Any, Any] = {"image": MetaTensor(torch.zeros(1, *TWO.shape)), "label": str(path)}
    with caplog.at_level(logging.WARNING):
        ids = ReadInstancesd("label", image_key="image")(case)["label"]
    assert caplog.messages == [f"{path}: one value in 2 connected parts; each is taken for an instance"]
    assert sorted(np.unique(ids).tolist()) == [0, 1, 2]
    np.testing.assert_array_equal(ids[0] > 0, TWO > 0)
    trained = InstancesToTruthd("label")({"label": torch.as_tensor(TWO)[None], "image": 0})
    np.testing.assert_array_equal(ids, trained["ids"])
    assert count_instances(str(path)) == 2


def test_maps_of_several_ids_and_a_mask_of_one_part_stay_as_they_are(caplog: pytest.LogCaptureFixture) -> None:
    several = np.where(TWO, 255, 0).astype(np.float32)[None]
    several[0, 3, 30] = 7
    one = np.zeros((1, 8, 8), dtype=np.float32)
    one[0, 2:5, 2:5] = 255
    for values in (several, one, 0 * one):
        np.testing.assert_array_equal(as_ids(values, "a.png"), values)
    assert caplog.messages == []


def test_a_black_and_white_mask_saved_as_jpeg_is_the_mask(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(TWO * np.uint8(255)).save(path, quality=75)
    stored = np.asarray(Image.open(io.BytesIO(path.read_bytes()))).astype(np.float32)[None]
    assert len(np.unique(stored)) > 2
    with caplog.at_level(logging.WARNING):
        ids = as_ids(stored, path)
    np.testing.assert_array_equal(ids[0] > 0, TWO > 0)
    assert "pixels had other values than [0, 255]" in caplog.messages[0]


def test_a_map_of_ids_saved_as_jpeg_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    ids = (np.arange(24 * 40).reshape(24, 40) // 80 * 20).astype(np.uint8)
    Image.fromarray(ids).save(path)
    with pytest.raises(
        InputError, match=r"a\.jpg: expected values near \[0, 255\], got others in \d+% of a JPEG; store"
    ):
        as_ids(np.asarray(Image.open(path)).astype(np.float32)[None], path)
