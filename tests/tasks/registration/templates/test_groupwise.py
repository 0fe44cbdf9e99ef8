"""A template built round by round: in the middle of the images, whichever it began with."""

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from scipy.ndimage import center_of_mass

from shared.engine.datasets import opened_file
from shared.images.file import ImageFile
from shared.images.reading import read_image
from shared.spatial.itk import displacement_to_itk, to_itk
from shared.tasks.registration.registered import Registered
from shared.tasks.registration.templates.group import template_values
from shared.tasks.registration.templates.groupwise import mean_of_aligned, on_grid_of, rounds_of

SIZE = (40, 32)
CENTRES = [(14.0, 12.0), (20.0, 17.0), (23.0, 16.0)]  # their mean is (19, 15)


def disc(path: Path, centre: tuple[float, float], affine: np.ndarray | None = None) -> dict[str, str]:
    """A subject: a slice with a smooth disc."""
    distance = np.linalg.norm(np.indices(SIZE) - np.reshape(centre, (2, 1, 1)), axis=0)
    values = np.exp(-((distance / 6) ** 4)).astype(np.float32)[..., None]
    nib.save(nib.Nifti1Image(values, np.eye(4) if affine is None else affine), path)
    return {"case": path.name, "image": str(path)}


def centre_of(file: ImageFile) -> np.ndarray:
    return np.array(center_of_mass(template_values(file)))


def by_centres(moving: str, fixed: ImageFile) -> Registered:
    """A perfect registration of discs: each voxel is moved as the centres are."""
    file = opened_file(moving)
    way = centre_of(file) - centre_of(fixed)
    displacement = np.broadcast_to(way[:, None, None], (2, *SIZE))
    return Registered("disc", field=displacement_to_itk(displacement, to_itk(fixed)), moving=file, fixed=fixed)


def test_the_template_comes_into_the_middle_of_the_images(tmp_path: Path) -> None:
    subjects = [disc(tmp_path / f"{i}.nii", centre) for i, centre in enumerate(CENTRES)]
    start = read_image(subjects[0]["image"])
    groups, templates = zip(*rounds_of(subjects, by_centres, start, count=2))
    for template in templates:
        np.testing.assert_allclose(centre_of(template), (19, 15), atol=0.05)  # linear interpolation, three times
    assert groups[0].mean_displacement == pytest.approx(np.hypot(5, 3), abs=0.01)  # from (14, 12)
    assert groups[1].mean_displacement < 0.05


def test_the_first_mean_is_of_images_where_they_lie(tmp_path: Path) -> None:
    """The second is the first, stored from right to left, so that both show the same."""
    turned = np.diag([-1.0, 1, 1, 1])
    turned[0, 3] = SIZE[0] - 1
    plain = disc(tmp_path / "a.nii", (14, 12))
    mirrored = disc(tmp_path / "b.nii", (SIZE[0] - 1 - 14, 12), turned)
    mean = mean_of_aligned([plain, mirrored], "none")
    np.testing.assert_allclose(centre_of(mean), (14, 12), atol=0.01)
    assert mean.shape == (*SIZE, 1)
    assert template_values(mean).max() == pytest.approx(1)


@pytest.mark.parametrize("is_raster", [False, True])
def test_values_come_onto_a_grid_as_they_are_taken_from_it(is_raster: bool) -> None:
    shape: Any = (1, 4, 3) if is_raster else (1, 3, 4, 1)
    file = ImageFile(Path("a"), np.arange(12.0).reshape(shape), np.eye(4), is_raster=is_raster)
    values = template_values(file)
    assert values.shape == (3, 4)
    assert np.array_equal(on_grid_of(file, values).values, file.values)
    assert np.array_equal(sitk.GetArrayFromImage(to_itk(file)).T, values)
