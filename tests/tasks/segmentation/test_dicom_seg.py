"""A DICOM SEG marks, over its series, the voxels that the label map marks, for whoever reads it."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.sr.codedict import codes

from shared.door import open_bundle
from shared.errors import InputError
from shared.images.file import ImageFile
from shared.images.reading import read_image
from shared.tasks.segmentation.dicom_codes import LEFT, STRUCTURES, code_of, side_of
from shared.tasks.segmentation.results import SegmentationWriter, Segmented
from tests.images.test_dicom import picture, save

NAMES = ["background", "left_hippocampus", "lesion", "right_thalamus"]
UPRIGHT = ([1, 0, 0], [0, 1, 0])
AS_IN_RAS = ([-1, 0, 0], [0, -1, 0])
TILTED = ([1, 0, 0], [0, 0.9553365, 0.2955202])  # by 0.3 radians
PATIENT: dict[str, Any] = {
    "PatientID": "7", "PatientName": "A^B", "PatientBirthDate": "", "PatientSex": "", "StudyDate": "20260101",
    "StudyTime": "120000", "StudyID": "1", "AccessionNumber": "", "ReferringPhysicianName": "", "SeriesNumber": 3,
    "Manufacturer": "M", "FrameOfReferenceUID": "1.2.9", "StudyInstanceUID": "1.2.7",
}  # fmt: skip


@pytest.mark.parametrize("name", STRUCTURES)
def test_structures_have_the_codes_and_meanings_of_the_standard(name: str) -> None:
    code = code_of(name)
    known = [codes.SCT.__getattr__(keyword) for keyword in codes.SCT.dir(code.meaning.replace(" ", ""))]
    assert (code.value, code.meaning.lower()) in [(one.value, one.meaning.lower()) for one in known]


def test_a_side_modifies_the_code_and_other_names_have_one_of_the_zoos_own() -> None:
    assert code_of("left_hippocampus") == code_of("hippocampus") != code_of("lesion")
    assert (side_of("left_hippocampus"), side_of("lesion")) == (LEFT, None)
    assert code_of("a_name_beyond_sixteen").value == "A_NAME_BEYOND_SI"  # the longest that a code may be


def test_without_the_library_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.tasks.segmentation.dicom_seg.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"--dicom_seg: expected the package highdicom, .*\[dicomseg\]"):
        SegmentationWriter(tmp_path, class_names=NAMES, dicom_seg=True)


@pytest.mark.client
@pytest.mark.parametrize("axes", [UPRIGHT, TILTED], ids=["upright", "tilted"])
def test_two_readers_find_each_class_where_the_label_map_has_it(axes: Any, tmp_path: Path) -> None:
    """highdicom's, and that of dcmqi, by which 3D Slicer imports."""
    hd = pytest.importorskip("highdicom", reason="needs the extra dicomseg")
    segmented = _segmented(_series(tmp_path / "series", axes))
    segmented.save(tmp_path / "out", pictures=False)
    path = tmp_path / "out" / "case_seg.dcm"
    volume = hd.seg.segread(path).get_volume(combine_segments=True)
    found = {number: _places(volume.array == number, volume.affine) for number in (1, 2, 3)}
    for number in (1, 2, 3):
        expected = _places(segmented.labels == number, np.diag([-1, -1, 1, 1]) @ segmented.affine)
        np.testing.assert_allclose(found[number], expected, atol=1e-4)  # mm
    assert len(found[3]) == 0
    for number, places in _by_dcmqi(path, tmp_path / "dcmqi").items():
        np.testing.assert_allclose(places, found[number], atol=1e-3)


@pytest.mark.client
def test_it_belongs_to_the_patient_and_study_and_names_what_it_marks(tmp_path: Path) -> None:
    pytest.importorskip("highdicom", reason="needs the extra dicomseg")
    _segmented(_series(tmp_path / "series", UPRIGHT)).save(tmp_path, pictures=False)
    seg = pydicom.dcmread(tmp_path / "case_seg.dcm")
    assert {name: seg.get(name) for name in ("PatientID", "StudyInstanceUID", "FrameOfReferenceUID")} == {
        "PatientID": "7", "StudyInstanceUID": "1.2.7", "FrameOfReferenceUID": "1.2.9"
    }  # fmt: skip
    assert [segment.SegmentLabel for segment in seg.SegmentSequence] == NAMES[1:]
    kind = seg.SegmentSequence[0].SegmentedPropertyTypeCodeSequence[0]
    assert kind.CodeMeaning == "Hippocampus"
    assert kind.SegmentedPropertyTypeModifierCodeSequence[0].CodeMeaning == "Left"


@pytest.mark.client
def test_a_series_without_a_study_is_refused_in_a_line(tmp_path: Path) -> None:
    pytest.importorskip("highdicom", reason="needs the extra dicomseg")
    folder = _series(tmp_path / "series", UPRIGHT, without="StudyInstanceUID")
    with pytest.raises(InputError, match=r"series: expected a series with what DICOM SEG refers to, .*--dicom_seg"):
        _segmented(folder).save(tmp_path / "out", pictures=False)


@pytest.mark.client
def test_a_bundle_writes_it_of_a_series_and_of_nothing_else(root: Path, tmp_path: Path) -> None:
    hd = pytest.importorskip("highdicom", reason="needs the extra dicomseg")
    bundle = open_bundle(root / "bundles" / "hippocampus_mr_segmentation", device="cpu", dicom_seg=True)
    sample = next((bundle.root / "sample_data" / "imagesTr").glob("*.nii.gz"))
    bundle.predict(sample).save(tmp_path / "out", pictures=False)
    assert [path.name for path in (tmp_path / "out").iterdir()] == [sample.name]
    values = read_image(sample).values[0]
    for number, plane in enumerate(np.moveaxis(values, 2, 0)):
        image = picture([0, 0, number], plane.T, axes=AS_IN_RAS, PixelSpacing=[1, 1], SliceThickness=1, **PATIENT)
        save(tmp_path / "series" / f"{number}.dcm", image)
    result = bundle.predict(tmp_path / "series")
    result.save(tmp_path / "out", pictures=False)
    volume = hd.seg.segread(tmp_path / "out" / "series_seg.dcm").get_volume(combine_segments=True)
    stored = read_image(tmp_path / "out" / "series.nii.gz")
    assert result.labels.any()
    for number in (1, 2):
        expected = _places(stored.values[0] == number, np.diag([-1, -1, 1, 1]) @ stored.affine)
        np.testing.assert_allclose(_places(volume.array == number, volume.affine), expected, atol=1e-4)


def _series(folder: Path, axes: Any, *, without: str = "") -> Path:
    """Six slices, 2 mm apart along z however their rows run, in files whose names have another order."""
    generator = np.random.default_rng(0)
    for number in range(6):
        image = picture(
            [10, -20, 2 * number], generator.integers(0, 999, (5, 7)), axes=axes, SliceThickness=2, **PATIENT
        )
        if without:
            delattr(image, without)
        save(folder / f"I{(5 * number) % 6}.dcm", image)
    return folder


def _segmented(folder: Path) -> Segmented:
    """The image of a series with a box of class 1 and one of class 2, none of class 3."""
    image: ImageFile = read_image(folder)
    labels = np.zeros(image.shape, dtype=np.uint8)
    labels[1:4, 2:5, 1:3], labels[4:6, 0:2, 3:5] = 1, 2
    return Segmented("case", image, labels, NAMES, dicom_seg=True)


def _places(mask: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Where the voxels of a mask are, (N, 3), in the frame of `affine`, in an order of their own."""
    places = np.argwhere(mask) @ affine[:3, :3].T + affine[:3, 3]
    return places[np.lexsort(places.round(2).T)]


def _by_dcmqi(path: Path, folder: Path) -> dict[int, np.ndarray]:
    """Where the voxels of each segment are, LPS."""
    program = shutil.which("segimage2itkimage", path=str(Path(sys.executable).parent))
    if program is None:
        pytest.skip("needs dcmqi")
    folder.mkdir()
    subprocess.run([program, "--inputDICOM", path, "--outputDirectory", folder], check=True, capture_output=True)
    found = {}
    for file in sorted(folder.glob("*.nrrd")):
        image = sitk.ReadImage(str(file))
        axes = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
        affine = np.eye(4)
        affine[:3] = np.column_stack([axes, image.GetOrigin()])
        values = sitk.GetArrayFromImage(image).T
        found[int(file.stem)] = _places(values > 0, affine)
    return found
