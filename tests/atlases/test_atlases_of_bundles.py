"""The registration bundles segment by atlases: registered, the labels of others fit."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from shared.files import read_table
from tests.running import ROOT, refused_here, run_here

DISC = {2: (48, 48), 3: (32, 32, 32)}


def write(folder: Path, name: str, dims: int, radius: float) -> None:
    """A blurred ball of a radius in voxels, on a darker one, and its label map."""
    folder.mkdir(parents=True, exist_ok=True)
    size = DISC[dims]
    distance = np.linalg.norm(np.indices(size) - np.reshape(size, (-1, *[1] * dims)) / 2 + 0.5, axis=0)
    labels = (distance < radius).astype(np.uint8)
    image = ndimage.gaussian_filter((labels + (distance < 1.6 * radius)).astype(np.float32), 1)
    for suffix, array in (("", image), ("_seg", labels)):
        nib.save(nib.Nifti1Image(array.reshape((*size, 1)[:3]), np.eye(4)), folder / f"{name}{suffix}.nii.gz")


@pytest.mark.parametrize(
    ("bundle", "dims", "options"),
    [
        ("brain_mr_voxelmorph_registration", 2, {"refine_steps": 5}),
        ("hippocampus_mr_voxelmorph_registration", 3, {"refine_steps": 5}),
        ("brain_mr_nodeo_registration", 2, {}),
    ],
)
def test_labels_of_atlases_fit_the_better_for_being_registered(
    bundle: str, dims: int, options: dict[str, int], tmp_path: Path
) -> None:
    write(tmp_path / "targets", "t", dims, 9)
    for radius in (7, 7.5):
        write(tmp_path / "atlases", f"of_{radius}", dims, radius)
    places = {"dataset_dir": tmp_path / "targets", "atlases": tmp_path / "atlases"}
    run = run_here(ROOT / "bundles" / bundle, tmp_path / "out", "atlases", pictures=False, **places, **options)
    (row,) = read_table(run / "summary.csv")
    # Two balls in one another have a Dice of 2 / (1 + (9 / 7.5) ** dims): 0.82 in 2D, 0.73 in 3D.
    assert float(row["dice_mean"]) > 2 / (1 + (9 / 7.5) ** dims) + 0.05
    assert row["atlases"] == "2"


def test_a_run_goes_on_where_it_ended_unless_an_atlas_has_changed(tmp_path: Path) -> None:
    bundle, out = ROOT / "bundles" / "brain_mr_voxelmorph_registration", tmp_path / "out"
    write(tmp_path / "targets", "t", 2, 9)
    write(tmp_path / "atlases", "a", 2, 8)
    options = {"dataset_dir": tmp_path / "targets", "atlases": tmp_path / "atlases", "pictures": False, "resume": True}
    written = (run_here(bundle, out, "atlases", **options) / "t.nii.gz").stat().st_mtime_ns
    assert (run_here(bundle, out, "atlases", **options) / "t.nii.gz").stat().st_mtime_ns == written
    write(tmp_path / "atlases", "a", 2, 7)
    assert (run_here(bundle, out, "atlases", **options) / "t.nii.gz").stat().st_mtime_ns > written


def test_an_unknown_fusion_ends_the_run_with_a_line(tmp_path: Path) -> None:
    line = refused_here(ROOT / "bundles" / "brain_mr_nodeo_registration", tmp_path, "atlases", fusion="mean")
    assert line.startswith("--fusion: expected one of majority, weighted, staple, joint, got 'mean'")
