"""Where a NIfTI file's voxels lie: in ITK's eyes, for every pair of codes, in what is read and in what is written."""

from itertools import product
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from shared.errors import InputError
from shared.images.nifti_affine import consistent_header
from shared.images.reading import read_image

VALUES = np.random.default_rng(0).integers(1, 99, (4, 5, 6)).astype(np.int16)
SPACING = np.array([1.0, 0.8, 1.2])


def turned(degrees: float) -> np.ndarray:
    angle = np.deg2rad(degrees)
    return np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])


def affine(turn: np.ndarray, *, origin: tuple[float, ...] = (-20, 30, 5)) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = turn * SPACING, origin
    return matrix


BASE = affine(turned(10))
SHEARED = BASE @ np.array([[1, 0, 0.4, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
SFORMS = {
    "agrees": BASE,
    "moved": affine(turned(10), origin=(-25, 18, 7)),
    "moved by little": affine(turned(10), origin=(-20, 30.001, 5)),
    "turned": affine(turned(30)),
    "mirrored": BASE @ np.diag([-1, 1, 1, 1.0]),  # ITK's comparison overlooks some of these
    "mirrored twice": BASE @ np.diag([1, -1, -1, 1.0]),
    "sheared": SHEARED,
    "of another spacing": BASE @ np.diag([1.1, 1, 1, 1.0]),
    "empty": np.diag([0, 0, 0, 1.0]),
}
CODES = list(product(range(5), range(5)))


def write(path: Path, sform: np.ndarray, codes: tuple[int, int], units: int = 2, **fields: object) -> Path:
    """A NIfTI file with `sform` and the quaternion of BASE, under these two codes, byte for byte."""
    header = nib.Nifti1Header()
    header.set_data_shape(VALUES.shape)
    header.set_data_dtype(np.int16)
    header.set_qform(BASE, 1)
    header.set_sform(sform, 1)
    header["sform_code"], header["qform_code"] = codes
    header["xyzt_units"], header["vox_offset"], header["magic"] = units, 352, b"n+1"
    for name, value in fields.items():
        header[name] = value
    path.write_bytes(header.binaryblock + bytes(4) + VALUES.tobytes("F"))
    return path


def itk_places(path: Path) -> np.ndarray:
    """The points, RAS, of some voxels as ITK has them."""
    image = sitk.ReadImage(str(path))
    return np.array([image.TransformIndexToPhysicalPoint(i) for i in np.ndindex(2, 2, 2)]) * (-1, -1, 1)


def places(matrix: np.ndarray) -> np.ndarray:
    return np.array([(matrix @ [*i, 1])[:3] for i in np.ndindex(2, 2, 2)])


def check_like_itk(path: Path, tmp_path: Path) -> None:
    """Read and written, the voxels lie where ITK sees those of the file; nibabel sees the written ones there as well.

    1e-4 mm: ITK's and the headers' numbers are float32, of at most 50 mm.
    """
    try:
        expected = itk_places(path)
    except RuntimeError:
        with pytest.raises(InputError, match=r"^[^\n]+: expected an affine [^\n]+, got [^\n]+; [^\n]+$"):
            read_image(path)
        return
    image = read_image(path)
    np.testing.assert_allclose(places(image.affine), expected, atol=1e-4)
    volume = image.write_volume(tmp_path / "out" / "volume.nii.gz", image.values[0])
    labels = image.write_labels(tmp_path / "out" / "labels.nii.gz", image.values[0].astype(int))
    for written in (volume, labels):
        np.testing.assert_allclose(itk_places(written), expected, atol=1e-4)
        assert read_image(written).affine == pytest.approx(image.affine, abs=1e-4)
        if image.nifti is not None and image.nifti.header.get_xyzt_units()[0] in ("mm", "unknown"):
            np.testing.assert_allclose(places(nib.Nifti1Image.from_filename(written).affine), expected, atol=1e-4)


@pytest.mark.parametrize("sform", SFORMS.values(), ids=SFORMS)
def test_every_pair_of_codes_is_read_and_written_as_itk_reads_it(sform: np.ndarray, tmp_path: Path) -> None:
    for codes in CODES:
        check_like_itk(write(tmp_path / "a.nii", sform, codes), tmp_path)


@pytest.mark.parametrize("units", [0, 1, 2, 3])
@pytest.mark.parametrize("codes", [(0, 0), (2, 0), (0, 1), (2, 1)])
def test_units_count_in_either_form(tmp_path: Path, codes: tuple[int, int], units: int) -> None:
    path = write(tmp_path / "a.nii", SFORMS["moved"], codes, units)
    image, oracle = read_image(path), itk_places(path)
    np.testing.assert_allclose(places(image.affine), oracle, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("codes", [(0, 0), (1, 0), (0, 1), (3, 2)])
@pytest.mark.parametrize("pixdim", [(0, 0.8, 1.2), (1, -0.8, 1.2), (1, np.nan, 1.2), (2, 0.8, 1.2)])
def test_a_pixdim_that_the_forms_do_not_share_is_taken_as_by_itk(
    tmp_path: Path, codes: tuple[int, int], pixdim: tuple[float, ...]
) -> None:
    check_like_itk(write(tmp_path / "a.nii", BASE, codes, pixdim=[1, *pixdim, 0, 0, 0, 0]), tmp_path)


@pytest.mark.parametrize("b", [1.00001, 1.001, 0.99999])
@pytest.mark.parametrize("codes", [(0, 1), (2, 1), (2, 0)])
def test_a_quaternion_whose_length_is_off_by_rounding_is_read(tmp_path: Path, codes: tuple[int, int], b: float) -> None:
    path = write(tmp_path / "a.nii", BASE, codes, quatern_b=b, quatern_c=0, quatern_d=0)
    check_like_itk(path, tmp_path)


def test_a_header_on_which_all_agree_is_written_as_it_was(tmp_path: Path) -> None:
    path = write(tmp_path / "a.nii", BASE, (4, 1))
    written = read_image(path).write_labels(tmp_path / "out.nii", VALUES)
    before, after = (nib.Nifti1Image.from_filename(p).header for p in (path, written))
    for name in ("sform_code", "qform_code", "srow_x", "quatern_d", "qoffset_x", "pixdim"):
        np.testing.assert_array_equal(before[name], after[name], err_msg=name)


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 1), (4, 1, 5), (1, 4, 5), (4, 5, 6, 1)])
def test_slices_stay_readable_where_the_forms_differ(tmp_path: Path, shape: tuple[int, ...]) -> None:
    image = nib.Nifti1Image(VALUES.ravel()[: np.prod(shape)].reshape(shape), None)
    image.header.set_sform(SFORMS["moved"], 2)
    image.header.set_qform(BASE, 1)
    nib.save(image, tmp_path / "a.nii.gz")
    read = read_image(tmp_path / "a.nii.gz")
    np.testing.assert_allclose(read.affine, BASE, atol=1e-5)
    written = read.write_volume(tmp_path / "out.nii.gz", read.values[0])
    assert nib.Nifti1Image.from_filename(written).shape == shape
    np.testing.assert_allclose(nib.Nifti1Image.from_filename(written).affine, BASE, atol=1e-5)


def test_nifti_2_which_itk_does_not_read_follows_the_same_rule(tmp_path: Path) -> None:
    image = nib.Nifti2Image(VALUES, None)
    image.header.set_sform(SFORMS["moved"], 2)
    image.header.set_qform(BASE, 1)
    nib.save(image, tmp_path / "a.nii")
    read = read_image(tmp_path / "a.nii")
    np.testing.assert_allclose(read.affine, BASE, atol=1e-5)
    np.testing.assert_array_equal(read.values[0], VALUES)


@pytest.mark.parametrize(("code", "expected"), [(0, 1), (4, 4), (7, 1)])  # none, MNI's, and one that there is not
def test_a_header_that_is_mended_says_scanner_where_it_said_nothing(code: int, expected: int) -> None:
    header = nib.Nifti1Header()
    header.set_data_shape(VALUES.shape)
    header["sform_code"] = code
    mended = consistent_header(header, BASE)
    assert (int(mended["sform_code"]), int(mended["qform_code"])) == (expected, expected)
    np.testing.assert_allclose(mended.get_best_affine(), BASE, atol=1e-5)
