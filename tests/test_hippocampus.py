"""The hippocampus bundle: the physical truth of its results, its figures, and what it refuses."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from shared.files import read_table
from tests.running import assert_ended_with_a_line, assert_only_the_bad_failed, refused_here, run_here

BUNDLE = Path(__file__).parents[1] / "bundles" / "hippocampus_mr_segmentation"
DATA = Path(__file__).parents[2] / "shared" / "data" / "hippocampus"
SAMPLE = BUNDLE / "sample_data" / "imagesTr" / "hippocampus_001.nii.gz"
HEAD = BUNDLE / "sample_data" / "imagesTs" / "IXI014_t1.nii.gz"
HEAD_LABELS = BUNDLE.parent / "brain_anycontrast_segmentation" / "sample_data" / "labelsTr" / "IXI014_t1.nii.gz"


def segment(dataset_dir: Path, output_dir: Path, config: str = "inference", **options: Any) -> Path:
    return run_here(BUNDLE, output_dir, config, dataset_dir=dataset_dir, **options)


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * np.logical_and(a, b).sum() / (a.sum() + b.sum())


@pytest.fixture(scope="module")
def sample() -> nib.Nifti1Image:
    return nib.Nifti1Image.from_filename(SAMPLE)


def test_the_same_scan_stored_in_any_orientation_gets_the_same_physical_segmentation(
    sample: nib.Nifti1Image, tmp_path: Path
) -> None:
    """Axes flipped and exchanged with the affine to match: each voxel's class goes with its place in the world."""
    (tmp_path / "in").mkdir()
    orientations = {"ras": "RAS", "lps": "LPS", "asl": "ASL", "ipr": "IPR"}
    for name, codes in orientations.items():
        turn = nib.orientations.ornt_transform(
            nib.orientations.axcodes2ornt("RAS"), nib.orientations.axcodes2ornt(codes)
        )
        nib.save(sample.as_reoriented(turn), tmp_path / "in" / f"{name}.nii.gz")
    out = segment(tmp_path / "in", tmp_path / "out")
    expected = np.asarray(nib.Nifti1Image.from_filename(out / "ras.nii.gz").dataobj)
    assert set(np.unique(expected)) == {0, 1, 2}
    for name, codes in orientations.items():
        stored, result = (
            nib.Nifti1Image.from_filename(tmp_path / "in" / f"{name}.nii.gz"),
            nib.Nifti1Image.from_filename(out / f"{name}.nii.gz"),
        )
        assert nib.aff2axcodes(result.affine) == tuple(codes)
        assert result.shape == stored.shape
        np.testing.assert_array_equal(result.affine, stored.affine)
        # Resampling is the identity in all of them, so that the network sees the very same voxels.
        np.testing.assert_array_equal(np.asarray(nib.as_closest_canonical(result).dataobj), expected)


def test_an_oblique_affine_does_not_change_the_segmentation(sample: nib.Nifti1Image, tmp_path: Path) -> None:
    angle = np.radians(15)
    turn = np.eye(4)
    turn[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    (tmp_path / "in").mkdir()
    nib.save(sample, tmp_path / "in" / "straight.nii.gz")
    nib.save(nib.Nifti1Image(np.asarray(sample.dataobj), turn @ sample.affine), tmp_path / "in" / "oblique.nii.gz")
    out = segment(tmp_path / "in", tmp_path / "out")
    straight, oblique = (nib.Nifti1Image.from_filename(out / f"{name}.nii.gz") for name in ("straight", "oblique"))
    np.testing.assert_allclose(oblique.affine, turn @ sample.affine, atol=1e-6)
    # The affine is stored in float32; the spacing of 1 mm comes back with an error of some 1e-7.
    assert dice(np.asarray(straight.dataobj) > 0, np.asarray(oblique.dataobj) > 0) > 0.999


@pytest.mark.parametrize("zoom", [(0.7, 0.7, 0.7), (1.0, 1.0, 1.6)])
def test_a_scan_of_another_spacing_gets_the_same_volumes(
    sample: nib.Nifti1Image, tmp_path: Path, zoom: tuple[float, float, float]
) -> None:
    from nibabel.processing import resample_to_output

    (tmp_path / "in").mkdir()
    nib.save(sample, tmp_path / "in" / "given.nii.gz")
    resampled = resample_to_output(nib.Nifti1Image(sample.get_fdata(), sample.affine), zoom, order=1)
    nib.save(resampled, tmp_path / "in" / "resampled.nii.gz")
    out = segment(tmp_path / "in", tmp_path / "out")
    result = nib.Nifti1Image.from_filename(out / "resampled.nii.gz")
    assert result.shape == resampled.shape
    given, other = read_table(out / "summary.csv")
    for name in ("anterior_mm3", "posterior_mm3"):
        # Interpolating twice blurs a structure some 10 voxels thick by under a voxel.
        assert float(other[name]) == pytest.approx(float(given[name]), rel=0.12)


def test_intensities_of_any_scale_give_the_same_segmentation(sample: nib.Nifti1Image, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name, scale, offset in (("plain", 1, 0), ("large", 3e4, 1e3), ("small", 1e-4, -1e-3)):
        array = (sample.get_fdata() * scale + offset).astype(np.float32)
        nib.save(nib.Nifti1Image(array, sample.affine), tmp_path / "in" / f"{name}.nii.gz")
    out = segment(tmp_path / "in", tmp_path / "out")
    plain, large, small = (
        np.asarray(nib.Nifti1Image.from_filename(out / f"{n}.nii.gz").dataobj) for n in ("plain", "large", "small")
    )
    # Float32 rounding may turn a voxel on the border between classes.
    assert (plain != large).mean() < 1e-3
    assert (plain != small).mean() < 1e-3


def test_the_volumes_are_those_of_the_label_map(sample: nib.Nifti1Image, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    affine = sample.affine @ np.diag([1, 1, 1.25, 1])
    nib.save(nib.Nifti1Image(np.asarray(sample.dataobj), affine), tmp_path / "in" / "scan.nii.gz")
    out = segment(tmp_path / "in", tmp_path / "out")
    labels = np.asarray(nib.Nifti1Image.from_filename(out / "scan.nii.gz").dataobj)
    (row,) = read_table(out / "summary.csv")
    assert float(row["anterior_mm3"]) == pytest.approx((labels == 1).sum() * 1.25, abs=1e-2)
    assert float(row["posterior_mm3"]) == pytest.approx((labels == 2).sum() * 1.25, abs=1e-2)


def test_tiles_of_a_large_scan_agree_with_the_whole(sample: nib.Nifti1Image, tmp_path: Path) -> None:
    whole = segment(SAMPLE, tmp_path / "whole")
    tiled = segment(SAMPLE, tmp_path / "tiled", roi_size=[32, 48, 32])
    a, b = (np.asarray(nib.Nifti1Image.from_filename(f / "hippocampus_001.nii.gz").dataobj) > 0 for f in (whole, tiled))
    # The tiles see less around them than the whole; they must not lose or invent structure.
    assert dice(a, b) > 0.95


def test_test_time_flips_change_little(sample: nib.Nifti1Image, tmp_path: Path) -> None:
    plain, flipped = segment(SAMPLE, tmp_path / "plain"), segment(SAMPLE, tmp_path / "flipped", flip_axes=[0])
    a, b = (np.asarray(nib.Nifti1Image.from_filename(f / "hippocampus_001.nii.gz").dataobj) for f in (plain, flipped))
    assert 0.95 < dice(a > 0, b > 0) <= 1
    assert (a != b).any()


def bad_cases(folder: Path, sample: nib.Nifti1Image) -> dict[str, str]:
    """Write one of each bad input; name of the file -> what its message must say."""
    array = sample.get_fdata(dtype=np.float32)

    def save(name: str, data: np.ndarray, affine: np.ndarray = sample.affine) -> None:
        nib.save(nib.Nifti1Image(data, affine), folder / f"{name}.nii.gz")

    save("constant", np.full_like(array, 7))
    save("four_dimensional", np.stack([array, array], axis=-1))
    save("flat", array[:, :, 10])
    with_nan, with_inf = array.copy(), array.copy()
    with_nan[3, 4, 5], with_inf[3, 4, 5] = np.nan, np.inf
    save("nan", with_nan)
    save("inf", with_inf)
    whole = SAMPLE.read_bytes()
    (folder / "truncated.nii.gz").write_bytes(whole[: len(whole) // 2])
    (folder / "empty_file.nii.gz").write_bytes(b"")
    (folder / "text.nii.gz").write_text("not an image")
    told = {
        "constant": "got 7 everywhere",
        "four_dimensional": "expected 3 dimensions, got 4",
        "flat": "expected 3 dimensions, got 2",
        "nan": "got 1 NaN or Inf",
        "inf": "got 1 NaN or Inf",
        "truncated": "expected a NIfTI file that can be read",
        "empty_file": "expected a NIfTI file that can be read",
        "text": "expected a NIfTI file that can be read",
    }
    return {f"{name}.nii.gz": words for name, words in told.items()}


def test_bad_cases_are_told_of_in_a_line_each_and_the_others_are_done(
    sample: nib.Nifti1Image, tmp_path: Path, run_bundle: Callable
) -> None:
    given, out = tmp_path / "in", tmp_path / "out"
    given.mkdir()
    told = bad_cases(given, sample)
    shutil.copy(SAMPLE, given / "good.nii.gz")
    done = run_bundle(BUNDLE, "inference", dataset_dir=given, output_dir=out)
    assert_only_the_bad_failed(done, given, out, told, written=["good.nii.gz", "overlays/good.png"])


@pytest.mark.parametrize(
    ("option", "name", "told"),
    [
        ("dataset_dir", "empty", "empty: expected images"),
        ("dataset_dir", "nowhere", "nowhere: expected a folder or an image, got nothing there"),
        ("weights", "none.pt", "none.pt: expected a weight file, got no such file"),
        ("weights", "broken.pt", "broken.pt: expected a state dict of this MultiResUNet"),
    ],
)
def test_a_run_that_cannot_start_says_why(option: str, name: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.pt").write_bytes(b"broken")
    options: dict[str, Any] = {option: tmp_path / name}
    assert told in refused_here(BUNDLE, tmp_path / "out", **options)


@pytest.mark.parametrize(
    ("option", "told"),
    [({"device": "cuda:7"}, "--device: expected one of cpu"), ({"datset_dir": "x"}, "did you mean --dataset_dir?")],
)
def test_a_command_that_cannot_start_says_why_in_a_line(
    option: dict[str, str], told: str, run_bundle: Callable
) -> None:
    assert_ended_with_a_line(run_bundle(BUNDLE, "inference", **option), told)


def test_labels_outside_the_classes_or_the_grid_fail_their_case_alone(sample: nib.Nifti1Image, tmp_path: Path) -> None:
    shutil.copytree(BUNDLE / "sample_data", tmp_path / "in")
    labels = tmp_path / "in" / "labelsTr"
    strange = np.asarray(nib.Nifti1Image.from_filename(labels / "hippocampus_014.nii.gz").dataobj).copy()
    strange[0, 0, 0] = 5
    nib.save(nib.Nifti1Image(strange, sample.affine), labels / "hippocampus_014.nii.gz")
    shutil.copy(labels / "hippocampus_001.nii.gz", labels / "hippocampus_138.nii.gz")
    assert "2 of 3 failed" in refused_here(BUNDLE, tmp_path / "out", "evaluate", dataset_dir=tmp_path / "in")
    rows = {row["case"]: row for row in read_table(tmp_path / "out" / "metrics.csv")}
    assert "class ids 0 to 2, got 5" in rows["imagesTr/hippocampus_014"]["message"]
    assert "the grid of its image" in rows["imagesTr/hippocampus_138"]["message"]
    assert float(rows["imagesTr/hippocampus_001"]["dice_mean"]) > 0.8


def test_resume_leaves_finished_cases_alone_and_makes_missing_ones(tmp_path: Path) -> None:
    out = segment(BUNDLE / "sample_data", tmp_path / "out")
    first = read_table(out / "summary.csv")
    kept, spoilt = (out / "imagesTr" / f"hippocampus_{n}.nii.gz" for n in ("001", "014"))
    before = kept.stat().st_mtime_ns
    spoilt.write_bytes(spoilt.read_bytes()[:100])
    segment(BUNDLE / "sample_data", tmp_path / "out", resume=True)
    assert kept.stat().st_mtime_ns == before
    second = read_table(out / "summary.csv")
    assert [{**row, "seconds": ""} for row in second] == [{**row, "seconds": ""} for row in first]
    assert second[0]["seconds"] == first[0]["seconds"]
    assert nib.Nifti1Image.from_filename(spoilt).get_fdata().any()


def test_a_failing_case_leaves_its_former_result_alone(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    shutil.copy(SAMPLE, tmp_path / "in" / "scan.nii.gz")
    out = segment(tmp_path / "in", tmp_path / "out")
    before = (out / "scan.nii.gz").read_bytes()
    (tmp_path / "in" / "scan.nii.gz").write_bytes(b"broken")
    assert "1 of 1 failed" in refused_here(BUNDLE, tmp_path / "out", dataset_dir=tmp_path / "in")
    assert (out / "scan.nii.gz").read_bytes() == before
    assert read_table(out / "summary.csv")[0]["status"] == "failed"


@pytest.mark.skipif(not DATA.is_dir(), reason=f"the Decathlon's hippocampus data are not at {DATA}")
def test_evaluation_on_the_validation_split_gives_the_figures_of_the_card(tmp_path: Path) -> None:
    out = segment(DATA, tmp_path / "out", config="evaluate", part="validation")
    measured = json.loads((out / "metrics.json").read_text())
    stated = json.loads((BUNDLE / "configs" / "metadata.json").read_text())["eval_metrics"]
    assert measured["cases"] == 31
    for name, value in stated.items():
        # Stated to three digits; other processors may turn a few voxels.
        assert measured[name]["mean"] == pytest.approx(value, abs=2e-3), name


@pytest.fixture(scope="module")
def head_results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the sample, whose axes lead to the back, top and right, of it stored otherwise, and of noise."""
    folder = tmp_path_factory.mktemp("heads")
    scan = nib.Nifti1Image.from_filename(HEAD)
    (folder / "in").mkdir()
    shutil.copy(HEAD, folder / "in" / "head.nii.gz")
    turn = nib.orientations.ornt_transform(nib.io_orientation(scan.affine), nib.orientations.axcodes2ornt("LAS"))
    nib.save(scan.as_reoriented(turn), folder / "in" / "turned.nii.gz")
    noise = np.random.default_rng(0).normal(size=scan.shape).astype(np.float32)
    nib.save(nib.Nifti1Image(noise, scan.affine), folder / "in" / "noise.nii.gz")
    assert "1 of 3 failed" in refused_here(BUNDLE, folder / "out", dataset_dir=folder / "in")
    return folder / "out"


def test_both_hippocampi_of_a_head_are_found_where_they_are(head_results: Path) -> None:
    labels = np.asarray(nib.Nifti1Image.from_filename(head_results / "head.nii.gz").dataobj)
    reference = np.asarray(nib.Nifti1Image.from_filename(HEAD_LABELS).dataobj)
    for parts, whole in (((1, 2), 17), ((3, 4), 53)):
        # 0.72 and 0.71 as evaluated: labels of another school, on voxels a fifth of a hippocampus wide.
        assert dice(np.isin(labels, parts), reference == whole) > 0.65
    near = ndimage.distance_transform_edt(~np.isin(reference, (17, 53)), sampling=2.0)
    assert near[labels > 0].max() < 12  # mm: nothing elsewhere


def test_a_head_has_volumes_of_both_sides_and_a_picture(head_results: Path) -> None:
    rows = {row["case"]: row for row in read_table(head_results / "summary.csv")}
    labels = np.asarray(nib.Nifti1Image.from_filename(head_results / "head.nii.gz").dataobj)
    left, right = (float(rows["head"][f"{side}_mm3"]) for side in ("left", "right"))
    assert left == 8 * np.isin(labels, (1, 2)).sum()
    assert right == 8 * np.isin(labels, (3, 4)).sum()
    assert float(rows["head"]["asymmetry_percent"]) == pytest.approx(200 * (left - right) / (left + right), abs=0.01)
    assert (head_results / "overlays" / "head.png").is_file()


def test_a_head_stored_otherwise_gets_the_same_physical_segmentation(head_results: Path) -> None:
    plain, turned = (nib.Nifti1Image.from_filename(head_results / f"{name}.nii.gz") for name in ("head", "turned"))
    one, other = (np.asarray(nib.as_closest_canonical(image).dataobj) for image in (plain, turned))
    np.testing.assert_array_equal(one, other)


def test_noise_as_large_as_a_head_fails_in_a_line(head_results: Path) -> None:
    rows = {row["case"]: row for row in read_table(head_results / "summary.csv")}
    assert rows["noise"]["status"] == "failed"
    assert (
        "noise.nii.gz: expected a T1-weighted head, or a crop around one hippocampus, got" in rows["noise"]["message"]
    )
    assert not (head_results / "noise.nii.gz").exists()


def test_crops_are_segmented_alike_whether_heads_are_looked_for_or_not(tmp_path: Path) -> None:
    auto = segment(SAMPLE, tmp_path / "auto", probabilities=True)
    never = segment(SAMPLE, tmp_path / "never", probabilities=True, locate="never")
    for name in ("hippocampus_001.nii.gz", "hippocampus_001_probabilities.nii.gz"):
        a, b = (np.asarray(nib.Nifti1Image.from_filename(folder / name).dataobj) for folder in (auto, never))
        np.testing.assert_array_equal(a, b)


def test_heads_are_scored_by_side_against_ids_of_freesurfer(tmp_path: Path) -> None:
    for folder, source in (("images", HEAD), ("labels", HEAD_LABELS)):
        (tmp_path / "in" / folder).mkdir(parents=True)
        shutil.copy(source, tmp_path / "in" / folder / "head.nii.gz")
    (row,) = read_table(segment(tmp_path / "in", tmp_path / "out", "evaluate") / "metrics.csv")
    assert float(row["dice_mean"]) == pytest.approx((float(row["dice_left"]) + float(row["dice_right"])) / 2, abs=1e-4)
    assert float(row["dice_mean"]) > 0.65


def test_a_missing_locator_fails_heads_and_not_crops(tmp_path: Path) -> None:
    given = tmp_path / "in"
    given.mkdir()
    shutil.copy(HEAD, given / "head.nii.gz")
    shutil.copy(SAMPLE, given / "crop.nii.gz")
    missing = tmp_path / "none.pt"
    assert "1 of 2 failed" in refused_here(BUNDLE, tmp_path / "out", dataset_dir=given, locator_weights=missing)
    rows = {row["case"]: row for row in read_table(tmp_path / "out" / "summary.csv")}
    assert rows["crop"]["status"] == "ok"
    assert "none.pt: expected a weight file, got no such file" in rows["head"]["message"]
