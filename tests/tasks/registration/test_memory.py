"""A pair that needs too much memory is refused before any is taken."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from shared.errors import InputError
from shared.tasks.registration.memory import check_memory
from shared.tasks.registration.transforms import ReadPaird


def test_six_gib_are_enough_for_a_brain_and_not_for_512_voxels_along_each_axis() -> None:
    check_memory(160 * 192 * 224, 6, "brain.nii.gz")
    with pytest.raises(InputError, match=r"large.nii.gz: expected .* 6 GiB .* 134,217,728 voxels.* about 3\d\.\d GiB"):
        check_memory(512**3, 6, "large.nii.gz")


def test_a_network_that_takes_more_for_a_voxel_is_refused_a_whole_head() -> None:
    with pytest.raises(InputError, match=r"head.nii.gz: .*16,777,216 voxels, which takes about 17\.8 GiB"):
        check_memory(256**3, 6, "head.nii.gz", bytes_a_voxel=1100)


def test_the_limit_that_is_recommended_is_enough() -> None:
    with pytest.raises(InputError, match=r"--memory_limit (\d+)") as refusal:
        check_memory(320**3, 6, "image.nii.gz")
    check_memory(320**3, float(str(refusal.value).rsplit(" ", 1)[1]), "image.nii.gz")


@pytest.mark.parametrize("pixdim", [None, 0.5])
def test_the_grid_counts_as_the_fixed_image_does(tmp_path: Path, pixdim: float | None) -> None:
    image = np.random.default_rng(0).random((12, 12, 12), dtype=np.float32)
    nib.save(nib.Nifti1Image(image, np.eye(4)), tmp_path / "a.nii.gz")
    pair = {"moving": tmp_path / "a.nii.gz", "fixed": tmp_path / "a.nii.gz"}
    # 12³ voxels take 0.0004 GiB beside the start, the 24³ of half the spacing eight times that.
    limit = 0.602
    if pixdim is None:
        assert ReadPaird(memory_limit=limit)(pair)["image"].shape == (2, 12, 12, 12)
    else:
        with pytest.raises(InputError, match="13,824 voxels"):
            ReadPaird(pixdim=pixdim, memory_limit=limit)(pair)
