"""One field, as docs/fields.md has it for six programs, moves an image to the same place in each."""

import re
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

from shared.images.reading import read_image
from shared.spatial.itk import displacement_to_itk, to_itk, write_field
from tests.running import ROOT

PAGE = (ROOT / "docs" / "fields.md").read_text(encoding="utf-8")
LINES = dict(re.findall(r"^## (.+?)\n.*?```python\n(.*?)```", PAGE, flags=re.MULTILINE | re.DOTALL))
SIZE = (14, 17, 12)
WITHIN = 0.01  # voxels of the moving image


def grid(turn: float, spacing: tuple[float, ...], middle: tuple[float, ...], size: tuple[int, ...]) -> np.ndarray:
    """The affine, voxels to mm, RAS, of a grid of `size` around `middle`, turned about two axes and mirrored."""
    c, s = np.cos(turn), np.sin(turn)
    affine = np.eye(4)
    affine[:3, :3] = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.array([[-1, 0, 0], [0, c, s], [0, -s, c]])
    affine[:3, :3] *= spacing
    affine[:3, 3] = middle - affine[:3, :3] @ (np.array(size) - 1) / 2
    return affine


def displacement() -> np.ndarray:
    """(3, *SIZE): up to 2 voxels, smooth."""
    rng = np.random.default_rng(0)
    fields = [ndimage.gaussian_filter(rng.normal(size=SIZE), 3, mode="nearest") for _ in SIZE]
    return np.stack([2 * field / abs(field).max() for field in fields])


@pytest.fixture(params=["one grid", "two grids"])
def places(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Where the moving image is sampled, (3, *SIZE) in its voxels; the files of a pair are in the working folder.

    The moving image is not written yet: it is that of one axis after another.
    """
    monkeypatch.chdir(tmp_path)
    fixed = grid(0.3, (0.8, 1.3, 2.1), (12, -30, 7), SIZE)
    shape = SIZE if request.param == "one grid" else (40, 36, 44)
    moving = fixed if request.param == "one grid" else grid(-0.5, (1.1, 0.9, 0.7), (12, -30, 7), shape)
    nib.save(nib.Nifti1Image(np.zeros(SIZE, np.float32), fixed), "fixed.nii.gz")
    nib.save(nib.Nifti1Image(np.zeros(shape, np.float32), moving), "moving.nii.gz")
    write_field("displacement.nii.gz", displacement_to_itk(displacement(), to_itk(read_image("fixed.nii.gz"))))
    voxels = (np.indices(SIZE) + displacement()).reshape(3, -1)
    points = nib.affines.apply_affine(fixed, voxels.T)
    return nib.affines.apply_affine(np.linalg.inv(moving), points).T.reshape(3, *SIZE)


def assert_places(places: np.ndarray, move: Callable[[], np.ndarray]) -> None:
    """That `move` samples the moving image at `places`: of an image that says where along an axis a voxel lies it
    gives the place, and linear interpolation loses nothing.
    """
    moving = nib.Nifti1Image.from_filename("moving.nii.gz")
    limits = np.reshape(moving.shape, (3, 1, 1, 1))
    inside = ((places > 0.1) & (places < limits - 1.1)).all(axis=0)
    assert inside.mean() > 0.5
    for axis, ramp in enumerate(np.indices(moving.shape, dtype=np.float32)):
        nib.save(nib.Nifti1Image(ramp, moving.affine), "moving.nii.gz")
        assert np.abs(move() - places[axis])[inside].max() <= WITHIN


def run_lines(name: str) -> None:
    exec(compile(LINES[name], f"docs/fields.md, {name}", "exec"), {})


@pytest.mark.parametrize(
    ("name", "module"),
    [
        pytest.param("ANTs", "ants", marks=pytest.mark.client),
        ("SimpleITK", "SimpleITK"),
        pytest.param("elastix", "itk.elxParameterObjectPython", marks=pytest.mark.client),
        ("scipy", "scipy"),
    ],
)
def test_a_program_moves_an_image_where_the_field_says(name: str, module: str, places: np.ndarray) -> None:
    pytest.importorskip(module, reason="needs antspyx or itk-elastix")

    def move() -> np.ndarray:
        run_lines(name)
        return nib.Nifti1Image.from_filename(f"moved_{name.lower()}.nii.gz").get_fdata()

    assert_places(places, move)


def test_slicers_transform_moves_an_image_where_the_field_says(places: np.ndarray) -> None:
    run_lines("3D Slicer")
    transform = sitk.ReadTransform("transform_slicer.h5")  # by ITK's reader, as 3D Slicer does

    def move() -> np.ndarray:
        images = [sitk.ReadImage(f"{name}.nii.gz", sitk.sitkFloat32) for name in ("moving", "fixed")]
        return sitk.GetArrayFromImage(sitk.Resample(*images, transform)).T

    assert_places(places, move)


@pytest.mark.parametrize("places", ["one grid"], indirect=True)
def test_learn2regs_evaluation_moves_an_image_where_the_field_says(places: np.ndarray) -> None:
    """Its lines, of evaluation.py of 2022 and later, but for the order, which is 0 of labels."""
    run_lines("Learn2Reg")
    field = np.load("disp_0001_0002.npz")["arr_0"]

    def move() -> np.ndarray:
        moving = nib.Nifti1Image.from_filename("moving.nii.gz").get_fdata()
        return ndimage.map_coordinates(moving, np.indices(SIZE) + field.transpose(3, 0, 1, 2), order=1)

    assert_places(places, move)
