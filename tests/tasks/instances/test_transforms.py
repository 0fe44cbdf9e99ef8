from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from monai.data import MetaTensor
from PIL import Image

from shared.errors import InputError
from shared.tasks.instances.transforms import (
    InstanceMapd,
    InstancesToTruthd,
    ReadInstancesd,
    ScaleByPercentilesd,
    collate_instances,
)  # fmt: skip


def test_ids_are_read_on_the_grid_of_their_image(tmp_path: Path) -> None:
    ids = np.zeros((6, 9), dtype=np.uint16)
    ids[1, 2], ids[3, 4] = 300, 65535
    Image.fromarray(ids).save(tmp_path / "a.png")
    read = ReadInstancesd("label", image_key="image")
    out = read({"image": MetaTensor(torch.zeros(3, 6, 9)), "label": str(tmp_path / "a.png")})
    np.testing.assert_array_equal(out["label"][0].numpy(), ids)
    with pytest.raises(InputError, match=r"grid of its image, \(9, 6\)"):
        read({"image": MetaTensor(torch.zeros(3, 9, 6)), "label": str(tmp_path / "a.png")})


@pytest.mark.parametrize(("value", "words"), [(-1.0, "whole numbers"), (0.5, "whole numbers")])
def test_what_is_no_id_is_refused(tmp_path: Path, value: float, words: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.full((4, 4), value, dtype=np.float32))
    with pytest.raises(InputError, match=words):
        ReadInstancesd("label", image_key="image")({"image": torch.zeros(1, 4, 4), "label": str(tmp_path / "a.tif")})


def test_an_image_is_scaled_by_its_percentiles_whatever_its_unit_and_size() -> None:
    image = torch.rand(3, 200, 300, generator=torch.Generator().manual_seed(0))
    scale = ScaleByPercentilesd("image", lower=1, upper=99)
    out = scale({"image": image})["image"]
    assert float(out.min()) == -1
    assert float(out.max()) == 1
    assert float((out.abs() == 1).float().mean()) == pytest.approx(0.02, abs=1e-3)
    torch.testing.assert_close(scale({"image": 5e4 * image - 100})["image"], out, rtol=0, atol=1e-4)
    thinned = ScaleByPercentilesd("image", lower=1, upper=99, most=5000)({"image": image})["image"]
    # Percentiles of 15,000 values instead of 180,000: the first is then known to 0.1 of a percent.
    torch.testing.assert_close(thinned, out, rtol=0, atol=0.02)


def test_an_image_of_which_few_pixels_stand_out_keeps_them() -> None:
    image = torch.zeros(1, 100, 100)
    image[0, 5, 5] = 3
    out = ScaleByPercentilesd("image", lower=0.5, upper=99.8)({"image": image})["image"]
    assert (float(out[0, 5, 5]), float(out.min())) == (1, -1)


def test_touching_ids_stay_apart_and_the_parts_of_one_become_two() -> None:
    ids = np.zeros((12, 20), dtype=np.float32)
    ids[1:5, 1:5], ids[1:5, 5:9] = 7, 3  # they touch
    ids[8:11, 1:6], ids[8:11, 10:16] = 9, 9  # cut by a crop
    ids[6, 15:18], ids[0, 14:18] = 4, 6  # three pixels, and four
    out = InstancesToTruthd("label", smallest=4)({"label": torch.as_tensor(ids)[None], "image": 0})
    assert "label" not in out
    assert out["boxes"].shape == (5, 4)
    expected = {(1, 1, 5, 5), (1, 5, 5, 9), (8, 1, 11, 6), (8, 10, 11, 16), (0, 14, 1, 18)}
    assert {tuple(box) for box in out["boxes"].int().tolist()} == expected
    for number, (r1, c1, r2, c2) in enumerate(out["boxes"].int().tolist(), start=1):
        assert (out["ids"][0, r1:r2, c1:c2] == number).all()
        assert int((out["ids"] == number).sum()) == (r2 - r1) * (c2 - c1)
    assert out["classes"].tolist() == [0] * 5


def test_samples_of_different_numbers_of_objects_are_collated_even_of_none() -> None:
    full, empty = np.zeros((8, 8), dtype=np.float32), np.zeros((8, 8), dtype=np.float32)
    full[:4, :4], full[5:, 5:] = 1, 2
    make = InstancesToTruthd("label", smallest=4)
    samples = [make({"label": torch.as_tensor(ids)[None], "image": torch.rand(3, 8, 8)}) for ids in (full, empty)]
    batch = collate_instances(samples)
    assert batch["image"].shape == (2, 3, 8, 8)
    assert batch["boxes"].shape == (2, 2, 4)
    assert batch["present"].tolist() == [[True, True], [False, False]]
    nothing = collate_instances(samples[1:])
    assert nothing["present"].tolist() == [[False]]


def test_what_was_found_becomes_a_map_and_its_table() -> None:
    found = {"ids": torch.ones(1, 4, 5, dtype=torch.int32), "scores": torch.tensor([0.5]), "labels": torch.tensor([0])}
    out = InstanceMapd("pred")({"pred": found, "image": 1})
    assert torch.equal(out["pred"], found["ids"])
    assert out["scores"].tolist() == [0.5]
    assert out["labels"].tolist() == [0]
