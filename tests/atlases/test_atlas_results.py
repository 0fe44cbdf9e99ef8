"""An image segmented by atlases from files to files, with a registration that finds every pair in place."""

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from PIL import Image

from shared.atlases.carrying import SegmentByAtlasesd
from shared.atlases.cases import find_targets
from shared.atlases.results import AtlasWriter
from shared.engine.datasets import CaseDataset
from shared.errors import InputError
from shared.images.cases import Case
from shared.tasks.registration.transforms import ReadPaird
from tests.running import report_results

# Axes exchanged, one reversed, 0.5 mm³ a voxel.
AFFINE = np.array([[0, -0.5, 0, 5], [1, 0, 0, -7], [0, 0, 1, 3], [0, 0, 0, 1]], dtype=float)
SIZE = (20, 16, 12)


def labels_at(corner: int, size: tuple[int, ...], label: int) -> np.ndarray:
    labels = np.zeros(size, dtype=np.int16)
    labels[tuple(slice(corner, corner + 6) for _ in size)] = label
    return labels


def write(folder: Path, name: str, kind: str, corner: int, label: int, *, labelled: bool = True) -> None:
    """An image that is bright where its label map has `label`: a volume, a slice as a volume, or a picture."""
    folder.mkdir(parents=True, exist_ok=True)
    labels = labels_at(corner, SIZE if kind == "volume" else SIZE[:2], label)
    image = (100 * (labels > 0) + np.random.default_rng(0).integers(0, 20, labels.shape)).astype(np.uint8)
    for suffix, array in (("", image), *([("_seg", labels)] if labelled else [])):
        if kind == "picture":
            Image.fromarray(array.astype(np.uint16) if suffix else array).save(folder / f"{name}{suffix}.png")
        else:
            stored = array.reshape((*array.shape, 1)[:3])
            nib.save(nib.Nifti1Image(stored, AFFINE), folder / f"{name}{suffix}.nii.gz")


def in_place(pair: dict[str, Any]) -> dict[str, Any]:
    size = pair["image"].shape[1:]
    return {**pair, "pred": torch.zeros(len(size), *size)}


def results_of(root: Path, **options: Any) -> list[dict[str, Any]]:
    segment = SegmentByAtlasesd(ReadPaird(), in_place, **options)
    dataset = CaseDataset(find_targets(root / "targets", root / "atlases"), segment)
    return [{"network_seconds": 0.0, **dataset[i]} for i in range(len(dataset))]


def written(root: Path, results: list[dict[str, Any]], **options: Any) -> Path:
    def writer(folder: Path) -> AtlasWriter:
        return AtlasWriter(folder, class_names=["background"], probabilities=True, **options)

    report_results(writer, results, root / "out")
    return root / "out"


@pytest.mark.parametrize("kind", ["volume", "slice", "picture"])
def test_ids_of_16_bits_come_out_on_the_grid_of_the_image(kind: str, tmp_path: Path) -> None:
    write(tmp_path / "targets", "t", kind, 4, 1002)
    for name, corner in (("a", 4), ("b", 4), ("wrong", 6)):
        write(tmp_path / "atlases", name, kind, corner, 1002)
    out = written(tmp_path, results_of(tmp_path))
    expected = labels_at(4, SIZE if kind == "volume" else SIZE[:2], 1002)
    if kind == "picture":
        np.testing.assert_array_equal(np.asarray(Image.open(out / "t.png")), expected)
    else:
        image = nib.Nifti1Image.from_filename(out / "t.nii.gz")
        np.testing.assert_array_equal(np.asarray(image.dataobj).reshape(expected.shape), expected)
        np.testing.assert_array_equal(image.affine, AFFINE)
        assert image.get_data_dtype() == np.int16
        shares = nib.Nifti1Image.from_filename(out / "t_probabilities.nii.gz")
        assert shares.shape == (*image.shape, 2)
        np.testing.assert_allclose(np.asarray(shares.dataobj).sum(axis=-1), 1, atol=1e-4)
    row = dict(zip(*(line.split(",") for line in (out / "summary.csv").read_text().splitlines())))
    voxels = 6 ** len(expected.shape)
    size = {"1002_px": f"{voxels:.1f}"} if kind == "picture" else {"1002_mm3": str(0.5 * voxels)}
    assert row | size | {"atlases": "3", "dice_1002": "1.0", "dice_mean": "1.0", "status": "ok"} == row
    assert (out / "overlays" / "t.png").is_file()
    assert (out / "metrics.json").is_file()


def test_the_atlases_that_are_the_most_alike_before_registration_are_taken(tmp_path: Path) -> None:
    write(tmp_path / "targets", "t", "slice", 4, 1)
    for corner in (9, 5, 8):
        write(tmp_path / "atlases", f"at_{corner}", "slice", corner, corner)
    (result,) = results_of(tmp_path, count=1, fusion="majority")
    assert (result["atlases"], result["ids"].tolist()) == (1, [0, 5])
    (result,) = results_of(tmp_path, fusion="majority")
    assert result["atlases"] == 3


def test_a_finished_image_has_the_row_that_it_had(tmp_path: Path) -> None:
    write(tmp_path / "targets", "t", "slice", 4, 1, labelled=False)
    write(tmp_path / "atlases", "a", "slice", 4, 1)
    out = written(tmp_path, results_of(tmp_path))
    case: Case = {"case": "t", "fixed": str(tmp_path / "targets" / "t.nii.gz")}
    writer = AtlasWriter(out, class_names=["background"], probabilities=True)
    figures = writer.finished(case)
    assert figures == {"atlases": 1, "similarity": 1.0, "1_mm3": 18.0}  # 36 voxels of 0.5 mm³
    (out / "t_probabilities.nii.gz").unlink()
    assert writer.finished(case) is None


def test_an_atlas_of_other_dimensions_is_refused_in_a_line(tmp_path: Path) -> None:
    write(tmp_path / "targets", "t", "volume", 4, 1)
    write(tmp_path / "atlases", "a", "slice", 4, 1)
    (result,) = results_of(tmp_path)
    assert isinstance(result["error"], InputError)
    assert f"{tmp_path / 'atlases' / 'a.nii.gz'}: expected 3 dimensions" in str(result["error"])


def test_a_target_among_its_atlases_is_reported(tmp_path: Path) -> None:
    write(tmp_path / "atlases", "a", "slice", 4, 1)
    write(tmp_path / "atlases", "b", "slice", 4, 1)
    (tmp_path / "targets").symlink_to(tmp_path / "atlases")
    out = written(tmp_path, results_of(tmp_path), pictures=False)
    assert (out / "summary.csv").read_text().count("is the image itself, and is left out of its atlases") == 2
    assert not (out / "overlays").exists()
