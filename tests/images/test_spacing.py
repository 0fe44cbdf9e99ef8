"""Resampling to a spacing, beside entries that other programs put into a sample."""

from typing import Any

import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, Invertd

from shared.images.spacing import OwnSpacingd


def sample() -> dict[Any, Any]:
    meta = {"filename_or_obj": "scan.nii.gz"}  # what MONAI's own breaks at, together with the string below
    image = MetaTensor(torch.rand(1, 6, 6, 6), affine=torch.diag(torch.tensor([2.0, 2, 2, 1])).double(), meta=meta)
    return {"image": image, "image_path": "scan.nii.gz", "pred": image.clone()}


def test_a_path_beside_the_image_stays_a_path() -> None:
    resampled = OwnSpacingd("image", pixdim=[1.0] * 3)(sample())
    assert resampled["image_path"] == "scan.nii.gz"
    assert resampled["image"].shape == (1, 11, 11, 11)  # 6 voxels of 2 mm: 10 mm from the first centre to the last


def test_it_is_inverted_as_ever() -> None:
    preprocessing = Compose([OwnSpacingd("image", pixdim=[1.0] * 3)])
    data = preprocessing(sample())
    data["pred"] = data["image"].clone()
    assert Invertd("pred", preprocessing, orig_keys="image")(data)["pred"].shape == (1, 6, 6, 6)


def test_a_missing_image_is_reported() -> None:
    with pytest.raises(KeyError, match="image"):
        OwnSpacingd("image", pixdim=[1.0] * 3)({"image_path": "scan.nii.gz"})
