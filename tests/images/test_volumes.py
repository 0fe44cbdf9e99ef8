"""Volumes are read by what their files hold: the values and places that SimpleITK or FreeSurfer's format has."""

import gzip
import re
import struct
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from shared.errors import InputError
from shared.images.cases import find_cases, find_labelled_cases
from shared.images.checking import ReadCased
from shared.images.reading import read_image

VALUES = np.random.default_rng(0).integers(0, 999, (4, 5, 6)).astype(np.int16)
TURN = np.array([[0, np.cos(np.pi / 6), -0.5], [0, 0.5, np.cos(np.pi / 6)], [-1, 0, 0]])


def image() -> sitk.Image:
    """Oblique, anisotropic, off centre."""
    volume = sitk.GetImageFromArray(VALUES.T)
    volume.SetSpacing((0.5, 1.5, 3.0))
    volume.SetOrigin((-20, 30, 7))
    volume.SetDirection(TURN.ravel().tolist())
    return volume


def check(path: Path, oracle: sitk.Image) -> None:
    """The file has the values and the places of `oracle`, and so has a result written on its grid."""
    read = read_image(path)
    written = read.write_volume(path.parent / "out" / "result.nii.gz", read.values[0])
    np.testing.assert_array_equal(read.values[0], sitk.GetArrayFromImage(oracle).T)
    result = sitk.ReadImage(str(written))
    for index in np.ndindex(2, 2, 2):  # 1e-4 mm: a NIfTI header has float32
        place = np.array(oracle.TransformIndexToPhysicalPoint(index))
        np.testing.assert_allclose((read.affine @ [*index, 1])[:3], place * (-1, -1, 1), atol=1e-4)
        np.testing.assert_allclose(result.TransformIndexToPhysicalPoint(index), place, atol=1e-4)


def refusal(path: Path, named: Path | None = None) -> str:
    """The message with which `path` is refused, which is about `named`."""
    with pytest.raises(InputError) as caught:
        read_image(path)
    assert re.fullmatch(rf"{re.escape(str(named or path))}: expected [^\n]+, got [^\n]+; [^\n]+", str(caught.value))
    return str(caught.value)


@pytest.mark.parametrize("name", ["a.nrrd", "a.nhdr", "a.mha", "a.mhd", "a.hdr", "a.NRRD", "a.nii", "a.nii.gz"])
@pytest.mark.parametrize("compressed", [False, True])
def test_what_simpleitk_writes_is_read_where_it_lies(tmp_path: Path, name: str, compressed: bool) -> None:
    sitk.WriteImage(image(), str(tmp_path / name), compressed)
    check(tmp_path / name, image())
    assert [case["case"] for case in find_cases(tmp_path, tmp_path / "out")] == ["a"]


def test_a_pair_may_be_named_by_either_of_its_files(tmp_path: Path) -> None:
    sitk.WriteImage(image(), str(tmp_path / "a.hdr"))
    check(tmp_path / "a.img", image())
    assert find_cases(tmp_path / "a.img") == [{"case": "a", "image": str(tmp_path / "a.img")}]


def test_analyze_7_5_lies_where_itk_has_it(tmp_path: Path) -> None:
    nib.save(nib.AnalyzeImage(VALUES, np.diag([2, 3, 4, 1])), tmp_path / "a.hdr")
    check(tmp_path / "a.hdr", sitk.ReadImage(str(tmp_path / "a.hdr")))


@pytest.mark.parametrize("name", ["a.mgz", "a.mgh"])
def test_freesurfers_voxels_lie_where_its_header_says(tmp_path: Path, name: str) -> None:
    spacing, centre = np.array([0.5, 1.5, 3.0]), np.array([-20.0, 30.0, 7.0])
    header = struct.pack(">7ih", 1, *VALUES.shape, 1, 4, 0, 1)  # version, sizes, frames, int16, freedom, good RAS
    header += np.concatenate([spacing, TURN.T.ravel(), centre]).astype(">f4").tobytes()
    content = header.ljust(284, b"\0") + VALUES.astype(">i2").tobytes("F")
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("z") else content)
    expected = np.eye(4)
    expected[:3, :3] = TURN * spacing
    expected[:3, 3] = centre - expected[:3, :3] @ (np.array(VALUES.shape) / 2)  # c_ras is voxel size / 2
    read = read_image(tmp_path / name)
    np.testing.assert_array_equal(read.values[0], VALUES)
    np.testing.assert_allclose(read.affine, expected, atol=1e-5)  # float32 of at most 30 mm
    written = read.write_labels(tmp_path / "out.nii.gz", VALUES % 3)
    np.testing.assert_allclose(read_image(written).affine, expected, atol=1e-5)


def damage(content: bytes) -> dict[str, bytes]:
    """Files of one content that are read all the same."""
    packed = gzip.compress(content)
    half = len(content) // 2
    return {
        "plain.nii.gz": content, "packed.nii": packed, "behind.nii.gz": packed + b"\0\r\nsome junk",
        "one behind.nii.gz": packed + b"\x1f", "zeros behind.nii.gz": packed + bytes(100),
        "behind.nii": content + b"junk", "behind inside.nii.gz": gzip.compress(content + bytes(5_000_000)),
        "members.nii.gz": gzip.compress(content[:half]) + gzip.compress(content[half:]) + b"junk",
    }  # fmt: skip


def test_content_counts_and_bytes_behind_it_do_not(tmp_path: Path) -> None:
    sitk.WriteImage(image(), str(tmp_path / "a.nii"))
    for name, content in damage((tmp_path / "a.nii").read_bytes()).items():
        (tmp_path / name).write_bytes(content)
        check(tmp_path / name, image())


@pytest.mark.parametrize("source", ["a.mgz", "a.nrrd", "a.mha"])
def test_another_format_called_nifti_is_read_as_what_it_is(tmp_path: Path, source: str) -> None:
    if source == "a.mgz":
        nib.save(nib.MGHImage(VALUES, np.diag([1, 2, 3, 1.0])), tmp_path / source)
    else:
        sitk.WriteImage(image(), str(tmp_path / source))
    expected = read_image(tmp_path / source)
    found = read_image((tmp_path / source).rename(tmp_path / "b.nii"))
    np.testing.assert_array_equal(found.values, expected.values)
    np.testing.assert_array_equal(found.affine, expected.affine)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.mgz", "a.nrrd", "a.mha", "a.hdr"])
@pytest.mark.parametrize("kept", [0, 3, 100, -10])
def test_a_file_that_ends_early_is_refused_in_one_line(tmp_path: Path, name: str, kept: int) -> None:
    path = tmp_path / name
    if name == "a.mgz":
        nib.save(nib.MGHImage(VALUES, np.eye(4)), path)
    else:
        sitk.WriteImage(image(), str(path))
    cut = path.with_suffix(".img") if name == "a.hdr" and kept < 0 else path
    cut.write_bytes(cut.read_bytes()[:kept])
    refusal(path, cut)


def test_a_damaged_gzip_stream_is_refused_even_behind_the_voxels(tmp_path: Path) -> None:
    sitk.WriteImage(image(), str(tmp_path / "a.nii"))
    packed = bytearray(gzip.compress((tmp_path / "a.nii").read_bytes()))
    packed[-6] ^= 1  # in the checksum
    (tmp_path / "b.nii.gz").write_bytes(packed)
    refusal(tmp_path / "b.nii.gz")


def test_components_and_time_are_channels(tmp_path: Path) -> None:
    both = np.stack([VALUES, 2 * VALUES])  # (2, x, y, z)
    vectors = sitk.GetImageFromArray(both.transpose(3, 2, 1, 0), isVector=True)
    times = sitk.GetImageFromArray(both.transpose(0, 3, 2, 1), isVector=False)
    for number, volume in enumerate((vectors, times)):
        sitk.WriteImage(volume, str(tmp_path / f"{number}.nrrd"))
        case = ReadCased("image", spatial_dims=3, channels=2)({"image": str(tmp_path / f"{number}.nrrd")})
        np.testing.assert_array_equal(case["image"], both)


def test_sheared_axes_are_refused(tmp_path: Path) -> None:
    header = "NRRD0004\ntype: short\ndimension: 3\nspace: left-posterior-superior\nsizes: 4 5 6\nendian: little\n"
    header += "space directions: (1,0,0) (0,1,0) (0.3,0,1.2)\nencoding: raw\n\n"
    (tmp_path / "a.nrrd").write_bytes(header.encode() + VALUES.tobytes("F"))
    assert "cosine is 0.24" in refusal(tmp_path / "a.nrrd")


def test_two_volumes_of_a_name_are_two_cases(tmp_path: Path) -> None:
    for name in ("a.nrrd", "a.mha", "sub/a.mgz", "sub/a.nii.gz", "sub/a.nii"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    cases = {case["case"]: Path(case["image"]).relative_to(tmp_path).as_posix() for case in find_cases(tmp_path)}
    assert cases == {name: name for name in ("a.mha", "a.nrrd", "sub/a.mgz", "sub/a.nii", "sub/a.nii.gz")}


def test_two_labels_of_a_name_are_refused(tmp_path: Path) -> None:
    for name in ("images/a.nii", "labels/a.nii", "labels/a.mha"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(InputError, match="none, or several of that name"):
        find_labelled_cases(tmp_path)
