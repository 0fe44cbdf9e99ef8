"""Images in every format, written by hand or by another library than the reader's, and those that must be refused."""

import gzip
import re
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
import tifffile
import torch
from monai.data import MetaTensor
from PIL import Image
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

from shared.errors import InputError
from shared.images.channels import ALPHA
from shared.images.channels import GRAY as GRAY_CHANNEL
from shared.images.channels import RGB as RGB_CHANNELS
from shared.images.checking import ReadCased, ReadLabeld, match_channels
from shared.images.file import ImageFile
from shared.images.reading import read_image, without_ending

RNG = np.random.default_rng(0)
VOLUME = RNG.integers(0, 1000, (3, 4, 5)).astype(np.int16)  # three lengths, so that no two axes can be mistaken
GRAY, RGB = RNG.integers(0, 256, (5, 7), dtype=np.uint8), RNG.integers(0, 256, (5, 7, 3), dtype=np.uint8)
# Axes permuted, one flipped, turned by 30° in plane, anisotropic, off centre: any mix-up moves a voxel by millimetres.
TURN = np.array([[0, np.cos(np.pi / 6), -0.5], [0, 0.5, np.cos(np.pi / 6)], [-1, 0, 0]])
OBLIQUE = np.eye(4)
OBLIQUE[:3, :3], OBLIQUE[:3, 3] = TURN * (0.5, 1.5, 3.0), (-20, 30, 7)
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0])
NIFTI_TYPES = {"u1": 2, "i2": 4, "i4": 8, "f4": 16, "c8": 32, "f8": 64, "V3": 128}  # code of each type in the standard


def nifti(
    path: Path,
    array: np.ndarray,
    affine: Any = OBLIQUE,
    order: str = "<",
    scale: Sequence[float] = (0, 0),
    units: int = 2,
) -> Path:
    """Write NIfTI-1 byte by byte, as the standard's nifti1.h lays it out; units: 1 m, 2 mm, 3 µm."""
    header = bytearray(352)
    kind = array.dtype.str[1:]
    struct.pack_into(order + "i", header, 0, 348)
    struct.pack_into(order + "8h", header, 40, array.ndim, *array.shape, *[1] * (7 - array.ndim))
    struct.pack_into(order + "2h", header, 70, NIFTI_TYPES[kind], 8 * array.dtype.itemsize)
    struct.pack_into(order + "8f", header, 76, 1, *np.linalg.norm(np.asarray(affine)[:3, :3], axis=0), *[1] * 4)
    struct.pack_into(order + "3fhBB", header, 108, 352, *scale, 0, 0, units)
    struct.pack_into(order + "h", header, 254, 1)
    struct.pack_into(order + "12f", header, 280, *np.asarray(affine, dtype=float)[:3].ravel())
    header[344:348] = b"n+1\0"
    content = bytes(header) + (array if kind == "V3" else array.astype(order + kind)).tobytes("F")
    path.write_bytes(gzip.compress(content, 0) if path.name.lower().endswith(".gz") else content)
    return path


def dicom(folder: Path, positions: Sequence[float], *, shape: tuple[int, int] = (5, 6), uid: str = "1.2.3") -> Path:
    """A series with one sagittally turned slice at each of `positions` mm, in files whose names have another order."""
    folder.mkdir(parents=True, exist_ok=True)
    for k, position in enumerate(positions):
        meta = pydicom.dataset.FileMetaDataset()
        meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, MRImageStorage
        meta.MediaStorageSOPInstanceUID = pydicom.uid.UID(f"{uid}.{k + 1}")
        image = pydicom.dataset.Dataset()
        image.file_meta = meta
        image.SOPClassUID, image.SOPInstanceUID = MRImageStorage, meta.MediaStorageSOPInstanceUID
        image.SeriesInstanceUID, image.StudyInstanceUID, image.Modality = uid, "1.2", "MR"
        (image.Rows, image.Columns), image.PixelSpacing = shape, [1.5, 0.5]
        image.InstanceNumber, image.SamplesPerPixel, image.PhotometricInterpretation = k + 1, 1, "MONOCHROME2"
        image.ImageOrientationPatient = [0, 0.6, 0.8, 0, 0.8, -0.6]
        image.ImagePositionPatient = [10 - position, -20, 30]  # the normal of rows and columns is -x
        image.BitsAllocated = image.BitsStored = 16
        image.HighBit, image.PixelRepresentation = 15, 1
        image.RescaleSlope, image.RescaleIntercept = 2, -5
        image.PixelData = np.random.default_rng(k).integers(0, 1000, shape).astype("<i2").tobytes()
        pydicom.dcmwrite(folder / f"IM{(7 * k) % 11}", image, enforce_file_format=True)
    return folder


def read(path: Path, **options: bool) -> MetaTensor:
    return read_image(path, **options).tensor()


def refusal(path: Path, spatial_dims: int = 3, channels: int = 1) -> str:
    """The message with which the file is refused, once it is known to name all that it must, in one line."""
    with pytest.raises(InputError) as caught:
        ReadCased("image", spatial_dims=spatial_dims, channels=channels)({"image": str(path)})
    assert re.fullmatch(rf"{re.escape(str(path))}: expected [^\n]+, got [^\n]+; [^\n]+", str(caught.value))
    return str(caught.value)


def apply(affine: Any, index: Sequence[int]) -> np.ndarray:
    return (np.asarray(affine) @ [*index, 1])[:3]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("kind", "scale"), [("u1", (0, 0)), ("i2", (2, -5)), ("f4", (0, 0)), ("f8", (0.5, 1))])
def test_nifti_voxels_have_the_value_and_place_that_simpleitk_gives_them(
    tmp_path: Path, order: str, kind: str, scale: tuple[float, float]
) -> None:
    array = (VOLUME % 200).astype(kind)
    path = nifti(tmp_path / "a.nii.gz", array, order=order, scale=scale)
    image, oracle = read(path), sitk.ReadImage(str(path))
    assert image.shape == (1, 3, 4, 5)
    assert image.dtype == torch.float32
    np.testing.assert_array_equal(image[0], array * (scale[0] or 1) + scale[1])  # slope 0 means unscaled
    np.testing.assert_array_equal(image[0], sitk.GetArrayFromImage(oracle).T)
    for index in np.ndindex(2, 2, 2):  # 1e-4 mm: the header's numbers are float32, of at most 30 mm
        place = LPS_TO_RAS @ oracle.TransformIndexToPhysicalPoint(index)
        np.testing.assert_allclose(apply(image.affine, index), place, atol=1e-4)


@pytest.mark.parametrize(("units", "scale"), [(1, 1e-3), (2, 1.0), (3, 1e3)])
def test_the_affine_is_in_millimetres_whatever_unit_the_header_has(tmp_path: Path, units: int, scale: float) -> None:
    image = read(nifti(tmp_path / "a.nii", VOLUME, np.diag([scale, scale, scale, 1]) @ OBLIQUE, units=units))
    np.testing.assert_allclose(image.affine, OBLIQUE, atol=1e-4)


def test_axes_beyond_the_third_are_channels(tmp_path: Path) -> None:
    for shape, channels in {(3, 4, 5, 1, 1): 1, (3, 4, 1): 1, (3, 4): 1, (3, 2, 5, 2): 2, (3, 2, 5, 1, 2): 2}.items():
        array = VOLUME.reshape(-1)[: np.prod(shape)].reshape(shape)
        image = read(nifti(tmp_path / "a.nii", array))
        assert image.shape == (channels, *shape[:3])
        np.testing.assert_array_equal(image[-1], array.reshape(*shape[:3], channels)[..., -1])


def test_dicom_voxels_have_the_value_and_place_of_the_standard(tmp_path: Path) -> None:
    folder = dicom(tmp_path / "series", (0, 3, 6, 9))
    image = read(folder)
    assert image.shape == (1, 6, 5, 4)  # columns, rows, slices
    for k in range(4):
        file = pydicom.dcmread(folder / f"IM{(7 * k) % 11}")
        np.testing.assert_array_equal(image[0, :, :, k].T, 2 * file.pixel_array - 5.0)
        row, column = np.reshape(file.ImageOrientationPatient, (2, 3)).astype(float)
        for i, j in [(0, 0), (5, 0), (0, 4)]:  # DICOM part 3, C.7.6.2.1.1
            place = np.array(file.ImagePositionPatient, dtype=float) + row * 0.5 * i + column * 1.5 * j
            np.testing.assert_allclose(apply(image.affine, (i, j, k)), LPS_TO_RAS @ place, atol=1e-6)  # float64 text


def test_a_single_dicom_file_is_a_volume_of_one_slice(tmp_path: Path) -> None:
    path = (dicom(tmp_path / "series", (0, 3)) / "IM7").rename(tmp_path / "one.dcm")
    image = read(path)
    np.testing.assert_array_equal(image[0, :, :, 0].T, 2 * pydicom.dcmread(path).pixel_array - 5.0)


def test_a_folder_without_exactly_one_dicom_series_is_refused(tmp_path: Path) -> None:
    third = dicom(tmp_path / "two", (0, 3, 6), uid="1.2.9")
    assert "got 2" in refusal(dicom(third, (0, 3)))  # takes the place of the first two slices
    (tmp_path / "empty").mkdir()
    assert "got 0" in refusal(tmp_path / "empty")


# A missing slice, two points in time, one slice twice: slices would lie in the wrong place.
@pytest.mark.parametrize("positions", [(0, 3, 9), (0, 3, 0, 3), (0, 3, 3)])
def test_a_dicom_series_with_another_than_one_slice_at_even_distances_is_refused(
    tmp_path: Path, positions: Sequence[float]
) -> None:
    refusal(dicom(tmp_path / "series", positions))


@pytest.mark.parametrize("kept", [0, 200, -30])  # bytes: none, part of the header, all but half of the pixels
def test_a_dicom_series_with_a_damaged_slice_is_refused(tmp_path: Path, kept: int) -> None:
    path = (dicom(tmp_path / "damaged", (0, 3, 6)) / "IM3").rename(tmp_path / "damaged" / "3.dcm")
    path.write_bytes(path.read_bytes()[:kept])
    refusal(path.parent)


@pytest.mark.parametrize("ending", [".PNG", ".tif"])
@pytest.mark.parametrize("dtype", ["u1", "u2"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_raster_pixels_are_those_simpleitk_wrote(tmp_path: Path, ending: str, dtype: str, channels: int) -> None:
    array = RNG.integers(0, np.iinfo(dtype).max, (5, 7, channels)).astype(dtype)
    path = tmp_path / f"a{ending}"
    sitk.WriteImage(sitk.GetImageFromArray(array, isVector=True), str(path))
    image = read(path)
    assert image.dtype == torch.float32
    np.testing.assert_array_equal(image, np.moveaxis(array, -1, 0).astype(np.float32))  # (C, rows, columns), exactly
    np.testing.assert_array_equal(image.affine, np.eye(4))


@pytest.mark.parametrize("array", [GRAY, RGB], ids=["gray", "colour"])
@pytest.mark.parametrize("ending", [".jpg", ".JPEG"])
def test_jpeg_pixels_are_those_simpleitk_reads(tmp_path: Path, array: np.ndarray, ending: str) -> None:
    path = tmp_path / f"a{ending}"
    Image.fromarray(array).save(path, quality=95, subsampling=0)
    oracle = sitk.GetArrayFromImage(sitk.ReadImage(str(path))).reshape(5, 7, -1)
    # 3 of 255: decoders may round the inverse cosine transform and the colour conversion differently
    np.testing.assert_allclose(read(path), np.moveaxis(oracle, -1, 0), atol=3)


@pytest.mark.parametrize("compressor", ["LZW", "PackBits", "Deflate"])
def test_compressed_tiff_is_read(tmp_path: Path, compressor: str) -> None:
    writer = sitk.ImageFileWriter()
    writer.SetFileName(str(tmp_path / "a.tif"))
    writer.SetCompressor(compressor)
    writer.UseCompressionOn()
    writer.Execute(sitk.GetImageFromArray(GRAY))
    np.testing.assert_array_equal(read(tmp_path / "a.tif")[0], GRAY)


def test_planar_and_float_tiff_are_read_as_they_were_written(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "planar.tif", np.moveaxis(RGB, -1, 0), photometric="rgb", planarconfig="separate")
    np.testing.assert_array_equal(read(tmp_path / "planar.tif"), np.moveaxis(RGB, -1, 0))
    tifffile.imwrite(tmp_path / "float.tif", GRAY / np.float32(255))
    np.testing.assert_array_equal(read(tmp_path / "float.tif")[0], GRAY / np.float32(255))


CYAN_WHITE = np.array([[[0, 255, 255], [255, 255, 255]]], dtype=np.uint8).repeat(8, 0).repeat(8, 1)


@pytest.mark.parametrize(
    ("mode", "ending"),
    [("P", ".png"), ("P", ".tif"), ("CMYK", ".jpg"), ("CMYK", ".tif"), ("1", ".png"), ("1", ".tif"), ("LA", ".png")],
)
def test_a_rare_pixel_format_looks_as_it_does_in_a_viewer(tmp_path: Path, mode: str, ending: str) -> None:
    given = np.where(CYAN_WHITE[..., :1] > 0, CYAN_WHITE, 0) if mode in ("1", "LA") else CYAN_WHITE  # black and white
    Image.fromarray(given).convert(mode).save(tmp_path / f"a{ending}")
    image = match_channels(read_image(tmp_path / f"a{ending}"), 3).numpy()
    if mode == "1":  # black and white, whichever numbers stand for them
        image = image * (255 / image.max())
    # 3 of 255: JPEG's rounding; the rest is exact
    np.testing.assert_allclose(image, np.moveaxis(given, -1, 0), atol=3 if ending == ".jpg" else 0)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("a b.v1.2.nii", "a b.v1.2"),
        ("Ä.NII.GZ", "Ä"),
        ("a.nii.png", "a.nii"),
        ("a.b.TIFF", "a.b"),
        ("a.b", "a.b"),
        ("a.jfif", "a"),
        ("a.bmp", "a"),
        ("a.WebP", "a"),
        ("a.jp2", "a"),
        ("a.ome.tif#t001_z003", "a.ome/t001_z003"),
        ("a.nii#z001", "a.nii#z001"),
        ("a#1.tif", "a#1"),
    ],
)
def test_a_name_loses_its_ending_and_nothing_else(name: str, kept: str) -> None:
    assert without_ending(Path("folder.png") / name) == Path("folder.png") / kept


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nii", "a.png", "a.jpg", "a.tif", "a.dcm"])
@pytest.mark.parametrize("damage", ["missing", "empty", "text", "truncated"])
def test_a_damaged_file_is_refused(tmp_path: Path, name: str, damage: str) -> None:
    path = tmp_path / name
    if damage == "truncated":
        noise = RNG.integers(0, 256, (64, 64, 4), dtype=np.uint8)  # incompressible: half a file is half the pixels
        if ".nii" in name:
            nifti(path, noise)
        elif name == "a.dcm":
            dicom(tmp_path / "s", (0,), shape=(64, 64)).joinpath("IM0").rename(path)
        else:
            Image.fromarray(noise[..., 0]).save(path)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif damage != "missing":
        path.write_text("no image\n" * 100 if damage == "text" else "")
    refusal(path, spatial_dims=3 if name in ("a.nii.gz", "a.nii", "a.dcm") else 2)


def test_a_changed_byte_in_a_compressed_file_is_noticed(tmp_path: Path) -> None:
    path = nifti(tmp_path / "a.nii.gz", np.arange(40**3, dtype="f4").reshape(40, 40, 40))  # 250 kB: read in parts
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF  # within a voxel: only the check sum in the last 8 bytes can tell
    path.write_bytes(content)
    refusal(path)


ONE = np.arange(60).reshape(3, 4, 5) == 9
BAD_VOLUMES = {
    "constant": (np.full((3, 4, 5), 7, "f4"), OBLIQUE, "got 7 everywhere"),
    "one NaN": (np.where(ONE, np.nan, VOLUME).astype("f4"), OBLIQUE, "got 1 NaN or Inf"),
    "one Inf": (np.where(ONE, np.inf, VOLUME).astype("f4"), OBLIQUE, "got 1 NaN or Inf"),
    "all NaN": (np.full((3, 4, 5), np.nan, "f4"), OBLIQUE, "got 60 NaN or Inf"),
    "no voxels": (np.zeros((0, 4, 5), "f4"), OBLIQUE, "expected "),
    "a plane": (VOLUME[0], OBLIQUE, "3 dimensions, got 2 (4, 5)"),
    "a time series": (np.stack([VOLUME] * 2, axis=-1), OBLIQUE, "3 dimensions, got 4 (3, 4, 5, 2)"),
    "complex": (VOLUME.astype("c8"), OBLIQUE, "one real number a voxel, got complex64"),
    "colour": (RGB[:4, :5].copy().view("V3").repeat(3, -1), OBLIQUE, "expected "),
    "affine of NaN": (VOLUME, np.diag([np.nan, 1, 1, 1]), "affine"),
    "affine of zeros": (VOLUME, np.diag([0, 0, 0, 1]), "affine"),
    "affine of a plane": (VOLUME, np.array([[1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]), "affine"),
    "huge voxels": (VOLUME, np.diag([1, 1000, 1, 1]), "got 1 × 1000 × 1"),
}


@pytest.mark.parametrize(("array", "affine", "words"), BAD_VOLUMES.values(), ids=BAD_VOLUMES)
def test_a_volume_without_use_is_refused(tmp_path: Path, array: np.ndarray, affine: np.ndarray, words: str) -> None:
    assert words in refusal(nifti(tmp_path / "a.nii.gz", array, affine))


@pytest.mark.parametrize("colour", [(9,), (9, 255), (10, 20, 30), (9, 9, 9, 255)], ids=["L", "LA", "RGB", "RGBA"])
def test_a_picture_of_one_colour_is_refused_whatever_its_alpha(tmp_path: Path, colour: tuple[int, ...]) -> None:
    Image.new({1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[len(colour)], (7, 5), colour).save(tmp_path / "a.png")
    refusal(tmp_path / "a.png", spatial_dims=2, channels=3)


def test_a_picture_of_another_kind_than_the_bundle_takes_is_refused(tmp_path: Path) -> None:
    pages = RNG.integers(0, 256, (6, 5, 7), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "pages.tif", pages, photometric="minisblack")
    refusal(tmp_path / "pages.tif", spatial_dims=2)
    refusal(tmp_path / "pages.tif", spatial_dims=3)  # its label map could not be written: rasters have two dimensions
    tifffile.imwrite(tmp_path / "complex.tif", GRAY.astype(np.complex64))
    refusal(tmp_path / "complex.tif", spatial_dims=2)
    tifffile.imwrite(tmp_path / "five.tif", np.moveaxis(pages[:5], 0, -1), photometric="minisblack", planarconfig=1)
    assert "expected 3 channels, got 5" in refusal(tmp_path / "five.tif", spatial_dims=2, channels=3)


# One pixel of each; 0.299 · 10 + 0.587 · 20 + 0.114 · 30 = 18.15
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([10], [10]), ([10], [10, 10, 10]), ([10, 99], [10]), ([10, 99], [10, 99]), ([10, 99], [10, 10, 10]),
        ([10, 20, 30], [18.15]), ([10, 20, 30], [10, 20, 30]),
        ([10, 20, 30, 99], [18.15]), ([10, 20, 30, 99], [10, 20, 30]), ([10, 20, 30, 99], [10, 20, 30, 99]),
    ],
)  # fmt: skip
def test_channels_are_matched_by_hand_computed_values(given: list[float], expected: list[float]) -> None:
    values = np.array(given, dtype=np.float32).reshape(-1, 1, 1).repeat(2, axis=1).repeat(3, axis=2)
    names = {1: (GRAY_CHANNEL,), 2: (GRAY_CHANNEL, ALPHA), 3: RGB_CHANNELS, 4: (*RGB_CHANNELS, ALPHA)}[len(given)]
    image = ImageFile(Path("a.png"), values, OBLIQUE, is_raster=True, channels=names)
    matched = match_channels(image, len(expected))
    assert matched.shape == (len(expected), 2, 3)
    np.testing.assert_allclose(matched[:, 1, 2], expected, rtol=1e-6)  # float32
    np.testing.assert_array_equal(matched.affine, OBLIQUE)


@pytest.mark.parametrize(
    ("name", "given", "channels"),
    [
        ("a.png", 3, 2),
        ("a.png", 4, 2),
        ("a.png", 5, 3),
        ("a.png", 3, 4),
        ("a.nii", 1, 3),
        ("a.nii", 4, 3),
        ("a.nii", 2, 4),
    ],
)
def test_channels_that_cannot_be_matched_are_refused(name: str, given: int, channels: int) -> None:
    values = np.zeros((given, 2, 2), dtype=np.float32)
    image = ImageFile(Path(name), values, np.eye(4), is_raster=name == "a.png")
    with pytest.raises(InputError, match=rf"^{name}: expected {channels} channels?, got {given}; .+$"):
        match_channels(image, channels)


def test_the_channels_of_a_volume_are_kept_where_the_bundle_takes_as_many(tmp_path: Path) -> None:
    path = nifti(tmp_path / "a.nii", np.stack([VOLUME, 2 * VOLUME], axis=-1))
    image = ReadCased("image", spatial_dims=3, channels=2)({"image": str(path)})["image"]
    np.testing.assert_array_equal(image, np.stack([VOLUME, 2 * VOLUME]))


def read_pair(image: Path, label: Path, num_classes: int = 3, dims: int = 3) -> MetaTensor:
    case = ReadCased("image", spatial_dims=dims)({"image": str(image), "label": str(label)})
    return ReadLabeld("label", image_key="image", num_classes=num_classes)(case)["label"]  # type: ignore[return-value]


def test_a_label_on_its_images_grid_is_read_as_it_was_written(tmp_path: Path) -> None:
    ids = VOLUME % 3
    label = read_pair(nifti(tmp_path / "i.nii", VOLUME), nifti(tmp_path / "l.nii", ids[..., None]))
    np.testing.assert_array_equal(label[0], ids)


def test_a_palette_label_gives_its_indices_not_its_colours(tmp_path: Path) -> None:
    ids = GRAY % 3
    Image.fromarray(GRAY).save(tmp_path / "i.png")
    picture = Image.fromarray(ids)
    picture.putpalette([0, 0, 0, 0, 255, 0, 0, 0, 255])  # as PASCAL VOC's, without any red
    picture.save(tmp_path / "l.png")
    np.testing.assert_array_equal(read_pair(tmp_path / "i.png", tmp_path / "l.png", dims=2)[0], ids)


SHIFTED = OBLIQUE + np.pad([[0.5]], ((0, 3), (3, 0)))  # half a millimetre along the first axis
BAD_LABELS = {
    "beyond the classes": (VOLUME % 4, OBLIQUE, "expected class ids 0 to 2, got 3;"),
    "negative": (-(VOLUME % 2), OBLIQUE, "got -1;"),
    "fractional": (VOLUME.astype("f4") * 0 + 0.5, OBLIQUE, "got 0.5;"),
    "NaN": (VOLUME * np.float32(np.nan), OBLIQUE, "got nan"),
    "transposed": ((VOLUME % 3).T, OBLIQUE, "(3, 4, 5), got (5, 4, 3)"),
    "shifted": (VOLUME % 3, SHIFTED, "expected the grid of its image"),
}


@pytest.mark.parametrize(("ids", "affine", "words"), BAD_LABELS.values(), ids=BAD_LABELS)
def test_a_label_of_other_values_or_another_grid_is_refused(
    tmp_path: Path, ids: np.ndarray, affine: np.ndarray, words: str
) -> None:
    path = nifti(tmp_path / "l.nii", ids, affine)
    with pytest.raises(InputError, match=re.escape(words)) as caught:
        read_pair(nifti(tmp_path / "i.nii", VOLUME), path)
    assert re.fullmatch(rf"{re.escape(str(path))}: expected [^\n]+, got [^\n]+; [^\n]+", str(caught.value))
