"""The grid of volumes is made coarser for a patch to show more, as far as labels survive it."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from shared.planning.reducing import COVERED, KEPT, coarser, kept_dice, shapes_of

SIZE, SPACING = (64, 48, 12), (1.0, 1.0, 5.0)


def label(folder: Path, width: int, *, axes: tuple[int, ...] = (0, 1, 2)) -> str:
    """A label map of a bar `width` voxels wide in x, whose file has its axes in another order."""
    ids = np.zeros(SIZE, dtype=np.uint8)
    ids[20 : 20 + width, 8:40, 2:10] = 1
    affine = np.diag([*SPACING, 1.0])
    affine[:3, :3] = affine[:3, :3][:, list(axes)]
    path = folder / f"{width}_{''.join(map(str, axes))}.nii.gz"
    nib.Nifti1Image(ids.transpose(axes), affine).to_filename(path)
    return str(path)


def test_wide_things_survive_a_coarse_grid_and_thin_ones_do_not(tmp_path: Path) -> None:
    wide, thin = shapes_of(label(tmp_path, 24)), shapes_of(label(tmp_path, 2))
    assert kept_dice([wide], [1.0, 1.0, 5.0]) == 1
    assert kept_dice([wide], [2.0, 2.0, 5.0]) > 0.98
    assert kept_dice([thin], [6.0, 1.0, 5.0]) == 0
    assert kept_dice([wide, thin], [6.0, 1.0, 5.0]) == pytest.approx(kept_dice([wide], [6.0, 1.0, 5.0]) / 2)
    assert kept_dice([], [1.0, 1.0, 5.0]) == 0


@pytest.mark.parametrize("axes", [(2, 0, 1), (1, 0, 2)])
def test_spacings_are_those_of_upright_axes(tmp_path: Path, axes: tuple[int, int, int]) -> None:
    given, expected = shapes_of(label(tmp_path, 6, axes=axes)), shapes_of(label(tmp_path, 6))
    for pixdim in ([5.0, 1.0, 5.0], [1.0, 5.0, 5.0], [1.0, 1.0, 15.0]):
        assert kept_dice([given], pixdim) == pytest.approx(kept_dice([expected], pixdim))


def coarsened(path: str, voxels: int) -> list[float]:
    return coarser(SPACING, [path], voxels, sizes=np.array([SIZE]), spacings=np.array([SPACING]))


def test_the_fine_axes_become_coarser_until_a_patch_shows_enough(tmp_path: Path) -> None:
    wide = label(tmp_path, 24)
    assert coarsened(wide, round(COVERED * np.prod(SIZE))) == list(SPACING)
    x, y, z = coarsened(wide, round(COVERED * np.prod(SIZE) / 4))
    assert x == y == pytest.approx(2.0, abs=0.2)
    assert z == SPACING[2]


def test_labels_that_would_be_lost_keep_their_grid(tmp_path: Path) -> None:
    spacing = coarsened(label(tmp_path, 4), 100)
    assert spacing[0] < 4
    assert kept_dice([shapes_of(label(tmp_path, 4))], spacing) >= KEPT
