"""From Python a bundle gives what its command line writes."""

import doctest
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from monai.data import MetaTensor

from shared.door import OpenBundle, open_bundle
from shared.errors import InputError
from shared.images import standard
from shared.images.reading import read_image
from tests.running import run_here

ROOT = Path(__file__).parents[1]
REGISTRATION = "brain_mr_voxelmorph_registration"
SAMPLES = {
    "blood_cell_yolo_detection": "JPEGImages",
    "hippocampus_mr_segmentation": "imagesTr",
    "nuclei_maskrcnn_instance_segmentation": "images",
}


def files_of(folder: Path, case: str) -> dict[str, bytes]:
    """What was written of a case, by name; NIfTI files without their compression's time."""
    paths = [path for path in folder.rglob("*") if path.is_file() and case in path.relative_to(folder).as_posix()]
    return {
        path.relative_to(folder).as_posix(): read_image(path).values.tobytes()
        if path.suffix == ".gz"
        else path.read_bytes()
        for path in paths
    }


@pytest.mark.parametrize("name", SAMPLES)
def test_a_result_saves_what_the_command_line_writes(name: str, tmp_path: Path) -> None:
    images = ROOT / "bundles" / name / "sample_data" / SAMPLES[name]
    image = min(path for path in images.iterdir() if not path.name.startswith("."))
    run_here(ROOT / "bundles" / name, tmp_path / "run", dataset_dir=image)
    result = open_bundle(name, device="cpu").predict(image)
    result.save(tmp_path / "saved")
    saved = files_of(tmp_path / "saved", result.case)
    assert saved == files_of(tmp_path / "run", result.case)
    assert len(saved) >= 2


def test_a_pair_is_registered_as_by_the_command_line(tmp_path: Path) -> None:
    data = ROOT / "bundles" / REGISTRATION / "sample_data"
    pair: dict[str, Any] = {role: data / f"phantom_{number}.nii.gz" for role, number in (("moving", 1), ("fixed", 2))}
    pair["moving_label"] = data / "phantom_1_seg.nii.gz"
    run_here(ROOT / "bundles" / REGISTRATION, tmp_path / "run", **pair)
    result = open_bundle(REGISTRATION, device="cpu").predict(**pair)
    result.save(tmp_path / "saved")
    saved = files_of(tmp_path / "saved", result.case)
    assert saved == files_of(tmp_path / "run", result.case)
    assert f"{result.case}/moved_label.nii.gz" in saved


def test_a_standard_frame_is_meant_by_its_word(monkeypatch: pytest.MonkeyPatch) -> None:
    moving, fixed = (ROOT / "bundles" / REGISTRATION / "sample_data" / f"phantom_{i}.nii.gz" for i in (1, 2))
    monkeypatch.setattr(standard, "standard_file", lambda _: fixed)
    bundle = open_bundle(REGISTRATION, device="cpu")
    result, expected = (bundle.predict(moving=moving, fixed=frame) for frame in ("mni152", fixed))
    assert result.case == "phantom_1_to_mni152"
    np.testing.assert_array_equal(result.displacement, expected.displacement)


@pytest.fixture(scope="module")
def hippocampus() -> OpenBundle:
    return open_bundle("hippocampus_mr_segmentation", device="cpu")


@pytest.fixture
def scan() -> Path:
    return ROOT / "bundles" / "hippocampus_mr_segmentation" / "sample_data" / "imagesTr" / "hippocampus_001.nii.gz"


def test_an_image_in_memory_gives_what_its_file_gives(hippocampus: OpenBundle, scan: Path) -> None:
    expected, file = hippocampus.predict(scan), read_image(scan)
    for image in (file, file.tensor()):
        np.testing.assert_array_equal(hippocampus.predict(image).labels, expected.labels)
    turned = MetaTensor(file.tensor().flip(1), affine=file.affine @ _flip(file.shape[0]))
    np.testing.assert_array_equal(hippocampus.predict(turned).labels[::-1], expected.labels)
    assert hippocampus.predict(turned, case="mine").case == "mine"


def _flip(length: int) -> np.ndarray:
    """Voxels of an image that is flipped along its first axis to those of the image."""
    flip = np.diag([-1.0, 1, 1, 1])
    flip[0, 3] = length - 1
    return flip


def test_options_of_a_call_hold_for_that_call(hippocampus: OpenBundle, scan: Path) -> None:
    names = [result.class_names for result in (
        hippocampus.predict(scan, class_names=["nothing", "a", "b"]), hippocampus.predict(scan)
    )]  # fmt: skip
    assert names == [["nothing", "a", "b"], ["background", "anterior", "posterior"]]


def test_what_cannot_be_predicted_is_refused_and_the_next_image_is_done(hippocampus: OpenBundle, scan: Path) -> None:
    for name in ("not_there.nii", "nor_there.nii"):  # one after the other, and none stands for another
        with pytest.raises(InputError, match=rf"{name}: expected a NIfTI file"):
            hippocampus.predict(name)
    with pytest.raises(InputError, match=r"--overlp: .*did you mean --overlap"):
        hippocampus.predict(scan, overlp=0.5)
    with pytest.raises(InputError, match=r"nothing_like_it: expected a folder with configs/inference\.json"):
        open_bundle("nothing_like_it")
    assert hippocampus.predict(scan, case="after").case == "after"


def test_nothing_is_written_unless_asked_for(
    scan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    open_bundle("hippocampus_mr_segmentation", device="cpu").predict(scan)
    assert list(tmp_path.rglob("*")) == []
    assert capsys.readouterr().out == ""


def test_the_readme_says_what_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    outcome = doctest.testfile(str(ROOT / "README.md"), module_relative=False, optionflags=doctest.ELLIPSIS)
    assert outcome.attempted >= 4
    assert outcome.failed == 0
