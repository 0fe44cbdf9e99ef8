"""The NODEO bundle: pairs of any size and dimension, both presets, several at once, and what a user may change."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from PIL import Image

from shared.files import read_table
from tests.running import assert_ended_with_a_line, refused_here, run_here

BUNDLES = Path(__file__).parents[1] / "bundles"
BUNDLE = BUNDLES / "brain_mr_nodeo_registration"
SLICES = [BUNDLE / "sample_data" / f"phantom_{i}.nii.gz" for i in (1, 2)]
LABELS = ("moving_label", "fixed_label")
VOLUMES = BUNDLES / "hippocampus_mr_voxelmorph_registration" / "sample_data"


def register(moving: Path, fixed: Path, output_dir: Path, **options: Any) -> dict[str, str]:
    """The row of the table of one pair."""
    run_here(BUNDLE, output_dir, moving=moving, fixed=fixed, pictures=False, **options)
    (row,) = read_table(output_dir / "summary.csv")
    return row


def test_the_fast_preset_registers_the_samples_without_a_fold(tmp_path: Path) -> None:
    rows = read_table(run_here(BUNDLE, tmp_path) / "summary.csv")
    assert len(rows) == 2
    for row in rows:
        assert not row["message"]  # of unlike contrasts, which they do not have
        assert float(row["dice_after"]) > float(row["dice_before"]) + 0.2
        assert float(row["folds_percent"]) <= 0.005  # what the card promises of brains
        assert float(row["seconds"]) > 0
        assert (tmp_path / row["case"] / "figure.png").is_file()


def test_unlike_contrasts_are_warned_about_and_the_fix_in_the_warning_helps(tmp_path: Path) -> None:
    """In the fixed slice gray matter is brighter than white, and fluid dark, as in FLAIR."""
    stored = nib.Nifti1Image.from_filename(SLICES[1])
    values = np.asarray(stored.dataobj, dtype=np.float32)
    flair = np.interp(values / values.max(), [0, 0.15, 0.3, 0.55, 0.75, 1], [0, 0.1, 0.25, 1, 0.6, 0.5])
    nib.save(nib.Nifti1Image(flair.astype(np.float32), stored.affine), tmp_path / "flair.nii.gz")
    labels = {key: Path(str(path).replace(".nii", "_seg.nii")) for key, path in zip(LABELS, SLICES)}
    rows = {
        name: register(SLICES[0], tmp_path / "flair.nii.gz", tmp_path / name, similarity=name, **labels)
        for name in ("ncc", "mind")
    }
    warning = rows["ncc"]["message"]
    assert "flair.nii.gz: expected images of one contrast for --similarity ncc" in warning
    assert warning.endswith("add --similarity mind")
    assert not rows["mind"]["message"]
    assert float(rows["mind"]["dice_after"]) > float(rows["ncc"]["dice_after"]) + 0.01
    again = register(SLICES[0], tmp_path / "flair.nii.gz", tmp_path / "ncc", similarity="ncc", resume=True, **labels)
    assert again["message"] == warning


def test_volumes_are_registered_by_the_same_command(tmp_path: Path) -> None:
    names = [f"hippocampus_{i}.nii.gz" for i in (148, 319)]
    images, labels = ([VOLUMES / part / name for name in names] for part in ("imagesTr", "labelsTr"))
    row = register(
        images[0], images[1], tmp_path, moving_label=labels[0], fixed_label=labels[1], affine="centre", pixdim=1.5
    )
    assert float(row["dice_after"]) > float(row["dice_before"]) + 0.03
    fixed = nib.Nifti1Image.from_filename(images[1])
    assert nib.Nifti1Image.from_filename(tmp_path / row["case"] / "moved.nii.gz").shape == fixed.shape


@pytest.mark.parametrize("size", [(100, 130), (61, 47)])
def test_pictures_of_any_size_are_registered(size: tuple[int, int], tmp_path: Path) -> None:
    """The reference code crashes at 100 × 130."""
    for number, path in enumerate(SLICES):
        picture = np.asarray(nib.Nifti1Image.from_filename(path).dataobj)[..., 0].T
        Image.fromarray(np.clip(255 * picture, 0, 255).astype(np.uint8)).resize(size).save(tmp_path / f"{number}.png")
    row = register(tmp_path / "0.png", tmp_path / "1.png", tmp_path / "out")
    moved, fixed, moving = (
        np.asarray(image, dtype=float)
        for image in (
            nib.Nifti1Image.from_filename(tmp_path / "out" / row["case"] / "moved.nii.gz").dataobj,
            np.asarray(Image.open(tmp_path / "1.png")).T,
            np.asarray(Image.open(tmp_path / "0.png")).T,
        )
    )
    assert moved.shape == size
    assert np.abs(moved - fixed).mean() < 0.7 * np.abs(moving - fixed).mean()


@pytest.mark.parametrize(
    "options",
    [
        {"paper#solver": "rk4", "paper#steps_of_flow": 2},
        {"paper#solver": "dopri5", "paper#adjoint": True},
        {"paper#smoothing": "gaussian", "paper#smoothing_width": 11, "paper#smoothing_passes": 2},
        {"paper#smoothing": "none", "paper#field_stride": 2},
        {"paper#network": {"filters": 8, "levels": 3, "bottleneck": 8, "stride": 8}},
    ],
)
def test_the_published_method_runs_with_every_solver_and_smoothing(options: dict[str, Any], tmp_path: Path) -> None:
    row = register(SLICES[0], SLICES[1], tmp_path, preset="paper", **{"paper#steps": 5, **options})
    assert row["status"] == "ok"
    assert float(row["displacement_mm"]) > 0.05  # tests/engines/test_optimising.py says where to


def test_files_of_two_dimensions_are_slices(tmp_path: Path) -> None:
    for number, path in enumerate(SLICES):
        stored = nib.Nifti1Image.from_filename(path)
        plane = nib.Nifti1Image(np.asarray(stored.dataobj)[..., 0], stored.affine)
        nib.save(plane, tmp_path / f"{number}.nii.gz")
    planes = register(tmp_path / "0.nii.gz", tmp_path / "1.nii.gz", tmp_path / "planes")
    slices = register(SLICES[0], SLICES[1], tmp_path / "slices")
    assert planes["displacement_mm"] == slices["displacement_mm"]
    moved = nib.Nifti1Image.from_filename(tmp_path / "planes" / planes["case"] / "moved.nii.gz")
    assert moved.shape == nib.Nifti1Image.from_filename(SLICES[1]).shape[:2]


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"preset": "best"}, "--preset: expected one of fast, warm, paper, got 'best'"),
        ({"preset": "paper", "paper#solver": "rk5"}, "solver: expected one of euler, rk4, dopri5, got 'rk5'"),
        ({"preset": "paper", "paper#smoothing": "median"}, "smoothing: expected one of average, gaussian, none, got"),
        ({"preset": "paper", "paper#smoothing_width": 4}, "smoothing: expected an odd width, got 4"),
    ],
)
def test_what_there_is_not_is_refused_in_a_line(options: dict[str, Any], line: str, tmp_path: Path) -> None:
    told = refused_here(BUNDLE, tmp_path, moving=SLICES[0], fixed=SLICES[1], pictures=False, **options)
    table = (tmp_path / "summary.csv").read_text(encoding="utf-8") if (tmp_path / "summary.csv").exists() else ""
    assert line in f"{told} {table}"


def test_preset_warm_begins_with_the_network_that_train_makes(tmp_path: Path) -> None:
    state = torch.load(BUNDLE / "models" / "model.pt", weights_only=True)
    small = {"max_epochs": 1, "pairs_per_epoch": 4, "batch_size": 2}
    run_here(BUNDLE, tmp_path / "run", "train", finetune_from="pretrained", **small)
    trained = torch.load(tmp_path / "run" / "model.pt", weights_only=True)
    assert trained.keys() == state.keys()
    # With no step to take, what is left is the network's own field, which another network does not give.
    fields = {
        name: register(
            SLICES[0], SLICES[1], tmp_path / name, preset="warm", **{"warm#levels": {"2": []}, "weights": file}
        )
        for name, file in (("shipped", BUNDLE / "models" / "model.pt"), ("trained", tmp_path / "run" / "model.pt"))
    }
    lengths = [float(row["displacement_mm"]) for row in fields.values()]
    assert min(lengths) > 1
    assert lengths[0] != lengths[1]


def test_preset_warm_registers_slices_in_a_few_steps_and_refuses_volumes(tmp_path: Path) -> None:
    rows = read_table(run_here(BUNDLE, tmp_path / "slices", preset="warm", pictures=False) / "summary.csv")
    assert all(float(row["dice_after"]) > 0.9 for row in rows)
    volume = VOLUMES / "imagesTr" / "hippocampus_148.nii.gz"
    refused_here(BUNDLE, tmp_path / "volumes", moving=volume, fixed=volume, preset="warm")
    (row,) = read_table(tmp_path / "volumes" / "summary.csv")
    assert "expected 2 dimensions, as this preset has levels for, got 3" in row["message"]


def test_evaluation_scores_the_samples_by_label(tmp_path: Path) -> None:
    rows = read_table(run_here(BUNDLE, tmp_path, "evaluate") / "metrics.csv")
    assert [row["status"] for row in rows] == ["ok", "ok"]
    assert all(float(row["dice_after_left_thalamus"]) > 0.8 for row in rows)


def fields(folder: Path) -> dict[str, bytes]:
    return {path.parent.name: path.read_bytes() for path in folder.glob("*/displacement.nii.gz")}


def test_workers_do_what_one_process_does_and_a_bad_pair_stops_none(tmp_path: Path, run_bundle: Callable) -> None:
    (tmp_path / "bad.nii.gz").write_bytes(b"no image")
    lines = ["id,moving,fixed", *(f"{n},{a},{b}" for n, a, b in (("00", *SLICES), ("01", "bad.nii.gz", SLICES[1])))]
    lines.append(f"02,{SLICES[1]},{SLICES[0]}")
    (tmp_path / "pairs.csv").write_text("\n".join(lines), encoding="utf-8")
    options: dict[str, Any] = {"dataset_dir": tmp_path, "pictures": False}
    assert "got 1 of 3 failed" in refused_here(BUNDLE, tmp_path / "alone", workers=0, **options)
    done = run_bundle(BUNDLE, "inference", output_dir=tmp_path / "workers", workers=2, **options)
    assert_ended_with_a_line(done, "got 1 of 3 failed")
    for name in ("alone", "workers"):
        table = read_table(tmp_path / name / "summary.csv")
        assert [(row["case"], row["status"]) for row in table] == [("00", "ok"), ("01", "failed"), ("02", "ok")]
        assert "bad.nii.gz" in table[1]["message"]
    assert fields(tmp_path / "alone").keys() == fields(tmp_path / "workers").keys() == {"00", "02"}


def test_a_run_that_was_stopped_goes_on_where_it_was(tmp_path: Path) -> None:
    register(SLICES[0], SLICES[1], tmp_path)
    (field,) = tmp_path.glob("*/displacement.nii.gz")
    before = field.stat().st_mtime_ns
    row = register(SLICES[0], SLICES[1], tmp_path, resume=True)
    assert field.stat().st_mtime_ns == before
    assert float(row["displacement_mm"]) > 0
