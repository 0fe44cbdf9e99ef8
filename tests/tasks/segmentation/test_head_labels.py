"""The class ids of heads, and which label maps of theirs are read."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from shared.errors import InputError
from shared.tasks.segmentation.head_labels import ReadHeadLabeld, by_side, head_names


def test_a_head_has_the_classes_of_a_crop_for_each_side() -> None:
    names = head_names(["background", "anterior", "posterior"])
    assert names == ["background", "left_anterior", "left_posterior", "right_anterior", "right_posterior"]


def test_parts_and_whole_hippocampi_have_the_same_side() -> None:
    assert by_side(np.arange(7), 2).tolist() == [0, 1, 1, 2, 2, 1, 2]


def read(folder: Path, ids: list[int]) -> list[int]:
    """What becomes of a label map of `ids`, one a voxel."""
    path = folder / "label.nii.gz"
    nib.save(nib.Nifti1Image(np.array(ids, np.uint8).reshape(-1, 1, 1), np.eye(4)), path)
    image = MetaTensor(torch.zeros(1, len(ids), 1, 1), affine=torch.eye(4))
    reader = ReadHeadLabeld(keys="label", image_key="image", num_classes=3)
    return [int(v) for v in reader({"image": image, "label": path})["label"].flatten()]


@pytest.mark.parametrize(
    ("ids", "classes"),
    [
        ([0, 1, 2], [0, 1, 2]),  # a crop
        ([0, 1, 2, 3, 4], [0, 1, 2, 3, 4]),  # a head, its parts told apart
        ([0, 2, 17, 18, 53, 60], [0, 0, 5, 0, 6, 0]),  # FreeSurfer's: white matter, amygdala … are not looked at
    ],
)
def test_ids_of_a_crop_of_a_head_and_of_freesurfer_are_read(tmp_path: Path, ids: list[int], classes: list[int]) -> None:
    assert read(tmp_path, ids) == classes


@pytest.mark.parametrize("ids", [[0, 5], [0, 1, 2, 5], [0, 17], [0, 2, 54]])
def test_other_ids_are_refused(tmp_path: Path, ids: list[int]) -> None:
    with pytest.raises(InputError, match=f"expected class ids 0 to 2, got {ids[-1]}"):
        read(tmp_path, ids)
