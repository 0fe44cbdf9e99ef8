"""Points of the moving image are carried to where its voxels go, in LPS and in RAS, of volumes and of slices."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from shared.errors import InputError
from shared.files import read_table, write_table
from shared.images.file import ImageFile
from shared.spatial.itk import displacement_to_itk, to_itk
from shared.tasks.registration.points import carried, read_points
from shared.tasks.registration.registered import Registered

AFFINE = np.array([[0, -1.5, 0, 30], [1, 0, 0, -10], [0, 0, 2, 5], [0, 0, 0, 1.0]])  # turned, of unequal spacing


def volume(shape: tuple[int, ...], affine: np.ndarray = AFFINE) -> ImageFile:
    return ImageFile(Path("volume.nii.gz"), np.random.default_rng(0).random((1, *shape), dtype=np.float32), affine)


def shifted(fixed: ImageFile, voxels: list[float]) -> sitk.Image:
    """The field that samples each voxel of `fixed` so many voxels further on."""
    grid = to_itk(fixed)
    size = grid.GetSize()
    return displacement_to_itk(np.array(voxels).reshape(-1, *[1] * len(size)) * np.ones((len(voxels), *size)), grid)


def table(path: Path, points: np.ndarray, space: str) -> Path:
    return write_table(path, [{"name": f"p{i}", **dict(zip("xyz", p)), "space": space} for i, p in enumerate(points)])


@pytest.mark.parametrize("space", ["RAS", "LPS"])
def test_a_point_goes_where_its_voxel_goes(tmp_path: Path, space: str) -> None:
    fixed = volume((20, 22, 24))
    voxels = np.array([[5.0, 6, 7], [10, 11, 12], [1, 1, 1]])
    signs = [1, 1, 1] if space == "RAS" else [-1, -1, 1]
    ras = voxels @ AFFINE[:3, :3].T + AFFINE[:3, 3]
    points = read_points(table(tmp_path / "points.csv", ras * signs, space))
    # Sampled two voxels further on, the moving image moves two voxels back; the last point leaves the image.
    moved, inside = carried(points, shifted(fixed, [2, 0, 1]), moving=fixed, fixed=fixed)
    moved.write(tmp_path / "moved.csv", inside=inside)
    rows = read_table(tmp_path / "moved.csv")
    found = np.array([[float(row[axis]) for axis in "xyz"] for row in rows]) * signs
    expected = (voxels - [2, 0, 1]) @ AFFINE[:3, :3].T + AFFINE[:3, 3]
    np.testing.assert_allclose(found, expected, atol=2e-3)
    assert [row["inside"] for row in rows] == ["True", "True", "False"]
    assert [(row["name"], row["space"]) for row in rows] == [(f"p{i}", space) for i in range(3)]


def test_a_point_beside_a_slice_keeps_its_distance_from_the_plane(tmp_path: Path) -> None:
    fixed = volume((20, 1, 24))
    voxels = np.array([[5.0, 0, 7], [10, 2, 12]])
    points = read_points(table(tmp_path / "points.csv", voxels @ AFFINE[:3, :3].T + AFFINE[:3, 3], "RAS"))
    moved, inside = carried(points, shifted(fixed, [2, 1]), moving=fixed, fixed=fixed)
    expected = (voxels - [2, 0, 1]) @ AFFINE[:3, :3].T + AFFINE[:3, 3]
    np.testing.assert_allclose(moved.values * [-1, -1, 1], expected, atol=2e-3)
    assert inside == [True, True]


def test_points_and_the_inverse_are_written_where_they_are_asked_for(tmp_path: Path) -> None:
    fixed = volume((12, 12, 12))
    pair = Registered("a_to_b", fixed, fixed, shifted(fixed, [1, 0, 0]))
    points = read_points(table(tmp_path / "points.csv", np.zeros((1, 3)), "LPS"))
    pair.save(tmp_path, pictures=False, inverse=True, points=points)
    back = sitk.ReadImage(str(tmp_path / "a_to_b" / "inverse.nii.gz"))
    # One voxel along the first axis is 1 mm along the second of RAS, so -1 in LPS; back it is the other way.
    np.testing.assert_allclose(back.GetPixel(6, 6, 6), [0, 1, 0], atol=2e-3)
    assert (tmp_path / "a_to_b" / "points.csv").is_file()
    pair.save(tmp_path / "plain", pictures=False)
    assert not {"inverse.nii.gz", "points.csv"} & {path.name for path in (tmp_path / "plain" / "a_to_b").iterdir()}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x,y,z\n1,2,3\n", "the columns x, y, z (mm) and space (LPS or RAS), got x, y, z"),
        ("x,y,z,space\n1,2,3,MNI\n", "line 2: expected LPS or RAS, got MNI"),
        ("x,y,z,space\n1,a,3,LPS\n", "numbers in x, y and z"),
    ],
)
def test_a_table_that_does_not_say_what_its_numbers_are_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "points.csv"
    path.write_text(text)
    with pytest.raises(InputError) as raised:
        read_points(path)
    assert expected in str(raised.value)
    assert str(path) in str(raised.value)
