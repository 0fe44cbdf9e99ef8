"""Results lie on the grid of the image they belong to, as other programs see it."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from monai.data import MetaTensor
from monai.transforms import Orientation
from PIL import Image

from shared.errors import InputError
from shared.images.file import ImageFile
from shared.images.reading import read_image

IDS = np.random.default_rng(0).integers(0, 3, (3, 4, 5))
# Axes permuted, one flipped, anisotropic, off centre.
AFFINE = np.array([[0.0, 0.0, 3.0, -20.0], [0.5, 0.0, 0.0, 30.0], [0.0, -1.5, 0.0, 7.0], [0.0, 0.0, 0.0, 1.0]])


def scan(path: Path, shape: tuple[int, ...] = (3, 4, 5), endianness: str = "<") -> Path:
    """A NIfTI image with all that a scanner may set: scaling, display range, two transforms with codes, units."""
    values = np.arange(np.prod(shape), dtype=np.int16).reshape(shape)
    image = nib.Nifti1Image(values, AFFINE, nib.Nifti1Header(endianness=endianness), dtype=np.int16)
    image.set_sform(AFFINE, code="mni")
    image.set_qform(AFFINE, code="scanner")
    image.header.set_xyzt_units("mm", "sec")
    image.header.set_slope_inter(2, -5)
    image.header["cal_max"] = 100
    nib.save(image, path)
    return path


@pytest.mark.parametrize("endianness", ["<", ">"])
@pytest.mark.parametrize("shape", [(3, 4, 5), (3, 4, 5, 1), (3, 4, 1), (3, 4)])
def test_a_label_map_has_shape_affine_codes_and_units_of_its_image_and_plain_ids(
    tmp_path: Path, shape: tuple[int, ...], endianness: str
) -> None:
    path = scan(tmp_path / "scan.nii", shape, endianness)
    ids = IDS.ravel()[: np.prod(shape)].reshape(shape[:3])  # read_image drops the axis after the third
    image = nib.Nifti1Image.from_filename(path)
    label = nib.Nifti1Image.from_filename(read_image(path).write_labels(tmp_path / "scan.nii.gz", ids))
    assert label.shape == shape
    assert label.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(label.affine, image.affine)
    for field in ("qform_code", "sform_code", "pixdim", "xyzt_units", "quatern_b", "qoffset_x", "srow_x"):
        np.testing.assert_array_equal(label.header[field], image.header[field], err_msg=field)
    assert np.asarray(label.dataobj).dtype == np.uint8  # a slope or an intercept would make it float
    assert label.header["cal_max"] == 0  # else viewers would show ids 1 and 2 of 100 as black
    np.testing.assert_array_equal(np.asarray(label.dataobj).reshape(ids.shape), ids)


def test_the_label_map_of_an_image_of_several_channels_has_one(tmp_path: Path) -> None:
    path = read_image(scan(tmp_path / "scan.nii", (3, 4, 5, 2))).write_labels(tmp_path / "l.nii.gz", IDS)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(path))).T, IDS)


def test_simpleitk_sees_the_label_map_on_the_grid_of_its_image(tmp_path: Path) -> None:
    path = scan(tmp_path / "scan.nii.gz")
    read_image(path).write_labels(tmp_path / "label.nii.gz", IDS)
    image, label = (sitk.ReadImage(str(tmp_path / name)) for name in ("scan.nii.gz", "label.nii.gz"))
    assert label.GetPixelID() == sitk.sitkUInt8
    np.testing.assert_array_equal(sitk.GetArrayFromImage(label).T, IDS)
    for get in (sitk.Image.GetSize, sitk.Image.GetSpacing, sitk.Image.GetOrigin, sitk.Image.GetDirection):
        assert get(label) == get(image)


def test_without_a_nifti_header_the_affine_counts_in_millimetres(tmp_path: Path) -> None:
    series = ImageFile(tmp_path / "series", IDS[None].astype(np.float32), AFFINE)
    path = series.write_labels(tmp_path / "series.nii.gz", IDS)
    label = nib.Nifti1Image.from_filename(path)
    assert label.get_data_dtype() == np.uint8
    assert label.header.get_xyzt_units()[0] == "mm"
    oracle = sitk.ReadImage(str(path))
    for index in np.ndindex(2, 2, 2):  # 1e-5 mm: float32 in the header
        place = np.array([-1, -1, 1]) * oracle.TransformIndexToPhysicalPoint(index)
        np.testing.assert_allclose((AFFINE @ [*index, 1])[:3], place, atol=1e-5)


@pytest.mark.parametrize("name", ["a.png", "a.JPG", "a.tif"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_the_label_of_a_picture_is_an_8_bit_png_of_its_height_and_width(tmp_path: Path, name: str, mode: str) -> None:
    ids = IDS[0]
    Image.new(mode, (5, 4)).save(tmp_path / name)  # Pillow: width, height
    path = read_image(tmp_path / name).write_labels(tmp_path / "out" / "a.png", ids)
    with Image.open(path) as label:
        assert (label.format, label.mode, label.size) == ("PNG", "L", (5, 4))
        np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(path))), ids)


@pytest.mark.parametrize("name", ["a.nii.gz", "a.tif"])
def test_a_label_map_comes_back_through_read_image(tmp_path: Path, name: str) -> None:
    source, ids = tmp_path / name, IDS if name == "a.nii.gz" else IDS[0]
    if name == "a.nii.gz":
        scan(source)
    else:
        Image.new("L", (5, 4)).save(source)
    image = read_image(source)
    target = tmp_path / "out" / ("a.png" if image.is_raster else "a.nii.gz")
    label = read_image(image.write_labels(target, ids))
    np.testing.assert_array_equal(label.values[0], ids)
    np.testing.assert_array_equal(label.affine, image.affine)


@pytest.mark.parametrize("labels", [IDS[:2], IDS.T, IDS[0]], ids=["fewer", "transposed", "a plane"])
def test_labels_of_another_shape_than_the_image_leave_the_older_result(tmp_path: Path, labels: np.ndarray) -> None:
    path, source = tmp_path / "out" / "scan.nii.gz", scan(tmp_path / "scan.nii")
    image = read_image(source)
    before = image.write_labels(path, IDS).read_bytes()
    with pytest.raises(ValueError, match="shape"):
        image.write_labels(path, labels)
    assert [(entry.name, entry.read_bytes()) for entry in path.parent.iterdir()] == [("scan.nii.gz", before)]


@pytest.mark.parametrize("name", ["scan.nii.gz", "a.png"])
def test_a_result_never_takes_the_place_of_its_image(tmp_path: Path, name: str) -> None:
    source, ids = tmp_path / name, IDS if name == "scan.nii.gz" else IDS[0]
    if name == "scan.nii.gz":
        scan(source)
    else:
        Image.new("L", (5, 4)).save(source)
    before, image = source.read_bytes(), read_image(source)
    (tmp_path / "link").symlink_to(tmp_path)
    for path in (source, tmp_path / "link" / name):
        with pytest.raises(InputError, match="output_dir"):  # as with --dataset_dir scan.nii.gz --output_dir .
            image.write_labels(path, ids)
    assert source.read_bytes() == before


def test_transforms_work_on_a_copy(tmp_path: Path) -> None:
    image = read_image(scan(tmp_path / "scan.nii"))
    image.tensor().zero_()
    assert image.values.any()


def test_a_tensor_knows_the_grid_that_it_was_read_on_once_it_is_turned(tmp_path: Path) -> None:
    affine = np.diag([-1.0, 2, 3, 1])
    nib.save(nib.Nifti1Image(np.arange(24, dtype=np.float32).reshape(2, 3, 4), affine), tmp_path / "a.nii.gz")
    turned = Orientation("RAS", labels=None)(read_image(tmp_path / "a.nii.gz").tensor())
    assert isinstance(turned, MetaTensor)
    assert turned.affine[0, 0] == 1
    np.testing.assert_array_equal(turned.meta["original_affine"], affine)
    assert list(turned.meta["spatial_shape"]) == [2, 3, 4]
