"""DICOM as CDs and scanners give it, with pydicom as the second reader of values and places."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import (
    CTImageStorage,
    EnhancedMRImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MediaStorageDirectoryStorage,
    MRImageStorage,
    generate_uid,
)

from shared.errors import InputError
from shared.images import dicom_series
from shared.images.cases import find_cases
from shared.images.dicom_grid import Plane, SeriesGrid, grid_of_planes
from shared.images.dicom_header import read_header
from shared.images.reading import read_image

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0])
OBLIQUE = ([0, 0.6, 0.8], [0, 0.8, -0.6])  # of which the normal is -x
SPACING = (1.5, 0.5)  # mm between rows, and between columns


def save(path: Path, image: Dataset, syntax: str = ExplicitVRLittleEndian, storage: str = MRImageStorage) -> Path:
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
    image.file_meta.MediaStorageSOPClassUID = pydicom.uid.UID(storage)
    image.SOPClassUID, image.SOPInstanceUID = storage, generate_uid()
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    path.parent.mkdir(parents=True, exist_ok=True)
    pydicom.dcmwrite(path, image, enforce_file_format=True)
    return path


def picture(position: Sequence[float], values: np.ndarray, axes: Any = OBLIQUE, **elements: Any) -> Dataset:
    """An image (rows, columns) at `position`, LPS."""
    image = Dataset()
    image.SeriesInstanceUID, image.StudyInstanceUID, image.Modality = "1.2.3", "1.2", "MR"
    image.Rows, image.Columns = values.shape[-2:]
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.PixelSpacing = list(SPACING)
    image.ImageOrientationPatient, image.ImagePositionPatient = [*axes[0], *axes[1]], list(position)
    image.BitsAllocated = image.BitsStored = 16
    image.HighBit, image.PixelRepresentation = 15, 1
    image.PixelData = values.astype("<i2").tobytes()
    for name, value in elements.items():
        setattr(image, name, value)
    return image


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 999, (5, 6))


def series(folder: Path, positions: Sequence[Any], syntax: str = ExplicitVRLittleEndian, **elements: Any) -> Path:
    """A file at each of `positions`, in mm along the normal or as points, in files whose names have another order."""
    for k, position in enumerate(positions):
        point = position if np.ndim(position) else [10 - position, -20, 30]
        each = {name: value[k] if isinstance(value, list) else value for name, value in elements.items()}
        save(folder / f"I{(7 * k) % 11}", picture(point, noise(k), **each), syntax)
    return folder


def check(path: Path, files: Sequence[Path]) -> None:
    """`path` has the values and the places that pydicom gives the files, in the order of their slices."""
    read = read_image(path)
    assert read.values.shape == (1, 6, 5, len(files))
    for k, file in enumerate(map(pydicom.dcmread, files)):
        stored = file.pixel_array * float(file.get("RescaleSlope", 1)) + float(file.get("RescaleIntercept", 0))
        np.testing.assert_array_equal(read.values[0, :, :, k].T, stored.astype(np.float32))
        row, column = np.reshape(file.ImageOrientationPatient, (2, 3)).astype(float)
        for i, j in [(0, 0), (5, 0), (0, 4)]:  # DICOM part 3, C.7.6.2.1.1
            place = np.array(file.ImagePositionPatient, float) + row * SPACING[1] * i + column * SPACING[0] * j
            np.testing.assert_allclose((read.affine @ [i, j, k, 1])[:3], LPS_TO_RAS @ place, atol=1e-6)


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_image(path)
    assert re.fullmatch(rf"{re.escape(str(path))}: expected [^\n]+, got [^\n]+; [^\n]+", str(caught.value))
    return str(caught.value)


def cases(root: Path) -> dict[str, Path]:
    return {case["case"]: Path(case["image"]) for case in find_cases(root)}


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_every_slice_has_its_own_slope(tmp_path: Path, syntax: str) -> None:
    # The first is whole: read in its type, the others would lose their fractions.
    folder = series(
        tmp_path / "s",
        (0, 3, 6),
        syntax,
        RescaleSlope=[1, 0.25, 3],
        RescaleIntercept=[0, -0.5, 7],
        Manufacturer="x" * 999,
    )
    check(folder, [folder / "I0", folder / "I7", folder / "I3"])


@pytest.mark.parametrize("name", ["DICOMDIR", "dicomdir", "DIRFILE", "dirfile", "INDEX", "index.dcm"])
def test_files_without_pixels_are_passed_over(tmp_path: Path, name: str) -> None:
    series(tmp_path / "S1" / "S1000", (0, 3, 6))
    for folder in (tmp_path, tmp_path / "S1", tmp_path / "S1" / "S1000"):
        directory = Dataset()
        directory.FileSetID = "CD"
        save(folder / name, directory, storage=MediaStorageDirectoryStorage)
    report = Dataset()
    report.SeriesInstanceUID, report.Modality, report.ContentSequence = "1.9", "SR", Items([Dataset()])
    save(tmp_path / "S1" / "S1000" / "report.dcm", report, storage="1.2.840.10008.5.1.4.1.1.88.11")
    save(tmp_path / "reports" / "I1", report, storage="1.2.840.10008.5.1.4.1.1.88.11")
    assert list(cases(tmp_path)) == ["S1/S1000"]
    folder = tmp_path / "S1" / "S1000"
    check(folder, [folder / "I0", folder / "I7", folder / "I3"])


def test_a_case_a_series_named_by_number_and_description(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    described = {
        "1.2.5": (3, "t1 / mprage: ../x"),
        "1.2.6": (12, None),
        "1.2.7": (None, None),
        "1.2.8": (3, "t1 / mprage: ../x"),
    }
    files: dict[str, list[Path]] = {}
    for start, (uid, (number, description)) in enumerate(described.items()):
        elements = {"SeriesInstanceUID": uid, "SeriesNumber": number, "SeriesDescription": description}
        known = {name: value for name, value in elements.items() if value is not None}
        files[uid] = [
            save(folder / f"{start}_{k}.dcm", picture([10 - k, 0, start], noise(9 * start + k), **known))
            for k in range(3)
        ]
    found = cases(tmp_path)
    names = ["study_1", "study_12", "study_3_t1-mprage-..-x", "study_3_t1-mprage-..-x_1.2.8"]
    assert list(found) == names
    for name, uid in zip(names, ["1.2.7", "1.2.6", "1.2.5", "1.2.8"]):
        check(found[name], files[uid])
    assert list(cases(folder)) == names  # the folder itself as well as one above it
    assert "got 4" in refusal(folder)


def test_a_folder_is_scanned_once_to_find_its_cases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    series(tmp_path / "s", range(9), SeriesInstanceUID=[f"1.{k % 3}" for k in range(9)])
    opened: list[Path] = []

    def counted(path: Path) -> Any:
        opened.append(path)
        return read_header(path)

    monkeypatch.setattr(dicom_series, "read_header", counted)
    assert len(cases(tmp_path)) == 3
    assert len(opened) == 9


def enhanced(positions: Sequence[Sequence[float]], slopes: Sequence[float] = (), **elements: Any) -> Dataset:
    """A multi-frame image whose groups say where each frame is."""
    frames = np.stack([noise(k) for k in range(len(positions))])
    image = picture((0, 0, 0), frames, NumberOfFrames=len(positions), **elements)
    del image.ImagePositionPatient, image.ImageOrientationPatient, image.PixelSpacing
    measures, plane, shared = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = list(SPACING), 3
    plane.ImageOrientationPatient = [*OBLIQUE[0], *OBLIQUE[1]]
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = Items([measures]), Items([plane])
    image.SharedFunctionalGroupsSequence = Items([shared])
    image.PerFrameFunctionalGroupsSequence = Items()
    for k, position in enumerate(positions):
        frame, place, values = Dataset(), Dataset(), Dataset()
        place.ImagePositionPatient = list(position)
        values.RescaleSlope, values.RescaleIntercept, values.RescaleType = (slopes or [2] * 99)[k], -5, "US"
        frame.PlanePositionSequence, frame.PixelValueTransformationSequence = Items([place]), Items([values])
        image.PerFrameFunctionalGroupsSequence.append(frame)
    return image


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)])
@pytest.mark.parametrize("name", ["E1", "e.dcm"])
def test_the_frames_of_an_enhanced_image_lie_where_their_groups_say(
    tmp_path: Path, order: Sequence[int], name: str
) -> None:
    image = enhanced([(10 - 3 * k, -20, 30) for k in order])
    path = save(tmp_path / "s" / name, image, storage=EnhancedMRImageStorage)
    for given in (path, path.parent):
        read = read_image(given)
        for k, frame in enumerate(np.argsort(order)):  # the k-th along the normal
            np.testing.assert_array_equal(read.values[0, :, :, k].T, 2 * pydicom.dcmread(path).pixel_array[frame] - 5)
            place = (
                np.array([10 - 3 * k, -20, 30]) + np.multiply(OBLIQUE[0], 0.5 * 5) + np.multiply(OBLIQUE[1], 1.5 * 4)
            )
            np.testing.assert_allclose((read.affine @ [5, 4, k, 1])[:3], LPS_TO_RAS @ place, atol=1e-6)
    assert list(cases(tmp_path)) == ["s"]


def test_frames_that_make_no_volume_are_refused(tmp_path: Path) -> None:
    line = [(10 - 3 * k, -20, 30) for k in range(3)]
    slopes = save(tmp_path / "slopes.dcm", enhanced(line, slopes=[1, 2, 3]), storage=EnhancedMRImageStorage)
    assert "rescale slope" in refusal(slopes)
    times = save(tmp_path / "times.dcm", enhanced(line * 2), storage=EnhancedMRImageStorage)
    assert "2 images of each slice" in refusal(times)
    film = save(tmp_path / "film.dcm", picture((0, 0, 0), np.stack([noise(0)] * 3), NumberOfFrames=3))
    assert "a place for each frame" in refusal(film)
    for name in ("one", "two"):
        save(tmp_path / "both" / name, enhanced(line), storage=EnhancedMRImageStorage)
    assert "one file of several frames" in refusal(tmp_path / "both")


@pytest.mark.parametrize("tilt", [-18.5, 18.5, 3.0])  # degrees
def test_a_tilted_gantry_is_sheared_into_place(tmp_path: Path, tilt: float) -> None:
    # The picture of a linear function of the place, which linear interpolation leaves exact.
    slope, angle = np.array([3.0, 5.0, 7.0]), np.deg2rad(tilt)
    row, column = np.array([1.0, 0, 0]), np.array([0, np.cos(angle), -np.sin(angle)])
    for k in range(8):
        start = np.array([-5.0, 4, 2 * k])
        i, j = np.meshgrid(np.arange(12) * SPACING[1], np.arange(20) * SPACING[0])
        values = (start + i[..., None] * row + j[..., None] * column) @ slope * 10 + 4000
        image = picture(start.tolist(), np.rint(values), axes=(row, column), RescaleSlope=0.1, RescaleIntercept=-400)
        save(tmp_path / "ct" / f"{k}.dcm", image, storage=CTImageStorage)
    read = read_image(tmp_path / "ct")
    turn = read.affine[:3, :3] / np.linalg.norm(read.affine[:3, :3], axis=0)
    np.testing.assert_allclose(turn.T @ turn, np.eye(3), atol=1e-9)
    index = np.stack(np.meshgrid(*map(np.arange, read.shape), indexing="ij"), axis=-1)
    places = (index @ read.affine[:3, :3].T + read.affine[:3, 3]) @ LPS_TO_RAS
    # Inside: planes at even heights along z, and a pixel or more from their ends.
    along = (places[..., 1] - 4) / np.cos(angle) / SPACING[0]
    inside = (along >= 0) & (along <= 19)
    assert inside.sum() > 8 * 12 * 17
    np.testing.assert_allclose(read.values[0][inside], (places @ slope)[inside], atol=0.06)  # 0.1 is a unit stored
    assert (read.values[0][~inside] <= (places @ slope)[inside].max()).all()
    written = read.write_labels(tmp_path / "out.nii.gz", np.zeros(read.shape))
    np.testing.assert_allclose(read_image(written).affine, read.affine, atol=1e-4)


def test_a_drift_of_rounding_is_none() -> None:
    def grid(shift: float) -> SeriesGrid:
        """Of ten planes, each `shift` pixels of 0.5 mm further along the rows than the one before it."""
        axes, spacing, slope = np.eye(3)[:2], np.array([0.5, 0.7]), ("1", "0")
        return grid_of_planes(
            [Plane(np.array([0.5 * shift * k, 0, 2 * k]), axes, spacing, slope) for k in range(10)], Path(), 2
        )

    assert grid(0.011).drift.tolist() == [0, 0]  # 0.099 pixels in all
    np.testing.assert_allclose(grid(0.012).drift, [0.012, 0])


NOT_A_VOLUME: dict[str, tuple[Sequence[Any], dict[str, Any], str]] = {
    "missing": ((0, 3, 9), {}, "gaps from 3 to 6 mm"),
    "twice": ((0, 3, 3), {}, "gaps from 0 to 3 mm"),
    "time points": ((0, 3, 0, 3), {"TemporalPositionIdentifier": [1, 1, 2, 2]}, "2 images of each slice: time points;"),
    "b-values": ((0, 3, 0, 3), {"DiffusionBValue": [0.0, 0.0, 1000.0, 1000.0]}, "2 images of each slice: b-values;"),
    "echoes": ((0, 3) * 3, {"EchoTime": [5, 5, 10, 10, 15, 15]}, "3 images of each slice: echoes;"),
    "unnamed": ((0, 3, 0, 3), {}, "2 images of each slice: time points or the like;"),
    "mosaic": ((0, 3), {"ImageType": ["ORIGINAL\\PRIMARY\\M\\MOSAIC"] * 2}, "a mosaic of slices"),
    "zigzag": (((10, -20, 30), (7, -15, 30), (4, -20, 30)), {}, "slices along a straight line"),
    "localizer": ((0, 3), {"ImageOrientationPatient": [[1, 0, 0, 0, 1, 0], [0, 1, 0, 0, 0, -1]]}, "one orientation"),
    "skew": ((0, 3), {"ImageOrientationPatient": [[1, 0, 0, 0.6, 0.8, 0]] * 2}, "rows and columns at right angles"),
    "two pixel sizes": ((0, 3), {"PixelSpacing": [[1, 1], [1, 2]]}, "pixel size"),
    "colour": ((0, 3), {"SamplesPerPixel": 3}, "colour"),
}  # fmt: skip


@pytest.mark.parametrize(("positions", "elements", "words"), NOT_A_VOLUME.values(), ids=NOT_A_VOLUME)
def test_what_is_no_volume_is_named_with_a_way_out(
    tmp_path: Path, positions: Sequence[Any], elements: dict[str, Any], words: str
) -> None:
    assert words in refusal(series(tmp_path / "s", positions, **elements))


def test_slices_of_two_sizes_are_refused(tmp_path: Path) -> None:
    folder = series(tmp_path / "s", (0, 3))
    save(folder / "other", picture((4, -20, 30), np.ones((3, 4))))
    assert "4 × 3, 6 × 5" in refusal(folder)


PYDICOM_FILES = [
    path
    for path in sorted((Path(pydicom.__file__).parent / "data" / "test_files").glob("*.dcm"))
    if path.read_bytes()[128:132] == b"DICM"
]


@pytest.mark.parametrize("path", PYDICOM_FILES, ids=lambda path: path.name)
def test_headers_are_those_that_pydicom_reads(path: Path) -> None:
    expected = pydicom.dcmread(path)
    if path.name == "rtplan_truncated.dcm":
        with pytest.raises(EOFError):
            read_header(path)
        return
    header = read_header(path)
    for name in ("SeriesInstanceUID", "Rows", "Columns", "SamplesPerPixel"):
        assert header.get(name) in (expected.get(name) or None, expected.get(name)), name
    assert header.get("Pixels", False) == any(
        name in expected for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
    )


def test_big_endian_is_read(tmp_path: Path) -> None:
    image = picture((1, 2, 3), noise(0))
    image.PixelData = noise(0).astype(">i2").tobytes()
    path = save(tmp_path / "a.dcm", image, ExplicitVRBigEndian)
    assert read_header(path)["Rows"] == 5
    np.testing.assert_array_equal(read_image(path).values[0, :, :, 0].T, noise(0))
