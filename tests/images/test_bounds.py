"""What would not fit into memory is refused from its header, before anything is read or resampled."""

import gzip
import re
import tracemalloc
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from shared.errors import InputError
from shared.images import bounds
from shared.images.bounds import check_grid, check_voxels, most_voxels
from shared.images.checking import ReadCased
from shared.images.reading import read_image


def test_a_machine_of_little_memory_takes_less(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 2**30}
    monkeypatch.setattr(bounds.os, "sysconf", pages.__getitem__)  # type: ignore[attr-defined]
    assert most_voxels() == 2**29  # 4 TiB: the constant
    pages["SC_PHYS_PAGES"] = 2**18
    assert most_voxels() == 2**24  # 1 GiB at 64 bytes a voxel


@pytest.mark.parametrize("shape", [(0, 4, 5), (-1, -1, 5), (2**15,) * 3, ()])
def test_a_header_of_no_voxels_or_too_many_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"^a\.nii: expected a volume of 1 to [\d,]+ voxels, got .*; .+$"):
        check_voxels("a.nii", shape)


def test_the_grid_to_come_is_bounded_axis_by_axis() -> None:
    check_grid((20, 22, 24), (90, 90, 90), None, "a.nii")
    check_grid((20, 22, 24), (90, 90, 90), 90.0, "a.nii")
    check_grid((20, 22, 24), (90, 90, 90), (1.0, 90.0, 90.0), "a.nii")  # 1,800 × 22 × 24
    check_grid((20, 22, 24), (90, 90, 90), (-1.0, 0.0, -1.0), "a.nii")  # what MONAI's Spacing keeps
    with pytest.raises(InputError, match=r"^a\.nii: .*1 × 1 × 1 mm, got 1800 × 1980 × 2160, from .*; .*pixdim$"):
        check_grid((20, 22, 24), (90, 90, 90), 1.0, "a.nii")


def test_pixdim_is_along_the_axes_of_ras_whatever_those_of_the_file(tmp_path: Path) -> None:
    affine = np.array([[0, 0, 90.0, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]])  # the third axis leads to the right
    nib.save(nib.Nifti1Image(np.arange(24000, dtype=np.int16).reshape(20, 30, 40), affine), tmp_path / "a.nii")
    read = {"keys": "image", "spatial_dims": 3}
    ReadCased(**read, pixdim=(1.0, 1.0, 1.0))({"image": str(tmp_path / "a.nii")})  # type: ignore[arg-type]
    ReadCased(**read, pixdim=(1e-2, 1.0, 1.0))({"image": str(tmp_path / "a.nii")})  # type: ignore[arg-type]
    with pytest.raises(InputError, match="got 360000000 × 20 × 30"):
        ReadCased(**read, pixdim=(1e-5, 1.0, 1.0))({"image": str(tmp_path / "a.nii")})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.mgz", "a.mgh"])
@pytest.mark.parametrize("shape", [(30000, 30000, 30000), (500, 500, 500)], ids=["memory", "file"])
def test_a_header_that_promises_more_than_memory_or_the_file_holds_takes_neither(
    tmp_path: Path, name: str, shape: tuple[int, ...]
) -> None:
    path, small = tmp_path / name, np.zeros((2, 3, 4), np.int16)
    kind = nib.MGHImage if "mg" in name else nib.Nifti1Image
    content = bytearray(kind(small, np.eye(4)).to_bytes())
    fields = np.array(shape, ">i4" if "mg" in name else "<i2").tobytes()
    place = 4 if "mg" in name else 42
    content[place : place + len(fields)] = fields
    path.write_bytes(gzip.compress(content) if name.endswith("z") else content)
    tracemalloc.start()
    with pytest.raises(InputError) as caught:
        read_image(path)
    assert tracemalloc.get_traced_memory()[1] < 5e6  # bytes; the header promised 250 MB and more
    tracemalloc.stop()
    assert re.fullmatch(rf"{re.escape(str(path))}: expected [^\n]+, got [^\n]+; [^\n]+", str(caught.value))
