"""The drawn brains of the brain bundle: made again alike, mirrored, and on the side that their labels say."""

import json
import sys
from pathlib import Path
from types import ModuleType

import nibabel as nib
import numpy as np
import pytest

from tests.running import script

ROOT = Path(__file__).parents[1]
BUNDLE = ROOT / "bundles" / "brain_mr_voxelmorph_registration"
SAMPLES = BUNDLE / "sample_data"


@pytest.fixture(scope="module")
def phantom() -> ModuleType:
    return script("make_brain_phantom")


@pytest.fixture(scope="module")
def class_names() -> list[str]:
    names: list[str] = json.loads((BUNDLE / "configs" / "evaluate.json").read_text(encoding="utf-8"))["class_names"]
    return names


def test_the_script_draws_the_sample_data_again(
    phantom: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["make_brain_phantom.py", str(tmp_path)])
    phantom.main()
    drawn = sorted(path.name for path in tmp_path.iterdir())
    assert drawn == sorted(path.name for path in SAMPLES.iterdir())
    assert len(drawn) == 9  # four images, their labels, and the table
    assert (tmp_path / "pairs.csv").read_bytes() == (SAMPLES / "pairs.csv").read_bytes()
    for name in drawn:
        if name == "pairs.csv":
            continue
        given, expected = (nib.Nifti1Image.from_filename(folder / name) for folder in (tmp_path, SAMPLES))
        assert given.get_data_dtype() == expected.get_data_dtype()
        np.testing.assert_array_equal(given.affine, expected.affine)
        a, b = np.asarray(given.dataobj), np.asarray(expected.dataobj)
        assert a.shape == b.shape == (160, 192, 1)
        # The voxels, not the bytes, which are zlib's; and but for the last bits of other processors' exponentials.
        if "_seg" in name:
            assert (a != b).mean() < 1e-4, name
        else:
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-4)


def test_the_anatomy_is_mirrored_and_each_structure_has_the_name_of_its_side(
    phantom: ModuleType, class_names: list[str]
) -> None:
    image, ids = phantom.draw_anatomy()
    other = {
        number: class_names.index(name.replace("left_", "right_")) for number, name in enumerate(class_names)
        if name.startswith("left_")
    }  # fmt: skip
    other |= {right: left for left, right in other.items()}
    opposite = np.array([other.get(number, number) for number in range(len(class_names))])
    np.testing.assert_array_equal(ids[::-1], opposite[ids])
    np.testing.assert_array_equal(image[::-1], image)
    # All of the 24 but the choroid plexus of either side.
    drawn = {class_names[number] for number in np.unique(ids)}
    assert drawn == {name for name in class_names if "choroid" not in name}


def test_every_phantom_has_each_structure_on_its_side_of_the_patient(class_names: list[str]) -> None:
    for number in range(1, 5):
        label = nib.Nifti1Image.from_filename(SAMPLES / f"phantom_{number}_seg.nii.gz")
        ids = np.asarray(label.dataobj)
        places = {i: label.affine @ [*np.mean(np.nonzero(ids == i), axis=1), 1] for i in np.unique(ids) if i}
        sides = {class_names[i]: place[0] for i, place in places.items()}
        assert len(sides) == 22  # a deformation loses none
        for name, left in sides.items():
            if name.startswith("left_"):
                assert left < sides[name.replace("left_", "right_")]  # RAS: x grows toward the patient's right
        assert places[class_names.index("brain_stem")][2] < places[class_names.index("left_thalamus")][2]  # below it


def test_images_lie_from_0_to_1_and_no_two_phantoms_are_alike(phantom: ModuleType) -> None:
    (first, ids), (second, others) = phantom.make_phantom(0), phantom.make_phantom(1)
    for image in (first, second):
        assert (image.dtype, image.min()) == (np.float32, 0)
        assert 0.6 < image.max() <= 1
    assert (ids.dtype, ids.shape) == (np.uint8, phantom.SIZE)
    # Deformed so that there is something to register, but of one anatomy: as many voxels of each structure, about.
    assert 0.05 < (ids != others).mean() < 0.5
    again, same = phantom.make_phantom(0)
    np.testing.assert_array_equal(again, first)
    np.testing.assert_array_equal(same, ids)
