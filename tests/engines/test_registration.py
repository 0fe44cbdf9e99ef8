"""What is written of a registered pair is what SimpleITK makes of it, on the fixed image's own grid."""

from functools import partial
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
import torch
from PIL import Image
from scipy import ndimage

from shared.engines.registration import RegistrationWriter
from shared.errors import InputError
from shared.spatial.pair_reading import ReadPaird

SIZE = (24, 20, 16)
# Axes exchanged, turned by 20° and of three spacings.
COSINE, SINE = np.cos(np.radians(20)), np.sin(np.radians(20))
OBLIQUE = np.array([[0, -1, 0, 5], [COSINE, 0, -SINE, -7], [SINE, 0, COSINE, 3], [0, 0, 0, 1]]) * [0.9, 1.2, 2.0, 1]


def blobs(size: tuple[int, ...], seed: int) -> np.ndarray:
    return 100 + 1000 * ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=size), 2)


def smooth(size: tuple[int, ...], amplitude: float = 1.5) -> np.ndarray:
    rng = np.random.default_rng(0)
    fields = [ndimage.gaussian_filter(rng.normal(size=size), 4, mode="nearest") for _ in size]
    return np.stack([amplitude * f / abs(f).max() for f in fields])


def pair_of(folder: Path, kind: str) -> dict[str, Any]:
    """A volume with an oblique grid, a slice stored as a volume, or a picture; with labels."""
    folder.mkdir(parents=True, exist_ok=True)
    size = SIZE if kind == "volume" else SIZE[:2]
    pair = {"case": "007"}
    for seed, name in enumerate(("moving", "fixed")):
        image = blobs(size, seed)
        for suffix, array in (("", image), ("_label", (image > 105).astype(np.uint8) + (image > 130))):
            if kind == "picture":
                path = folder / f"{name}{suffix}.png"
                Image.fromarray(np.clip(array.T, 0, 255).astype(np.uint8)).save(path)
            else:
                path = folder / f"{name}{suffix}.nii.gz"
                stored = array.astype(np.uint8 if suffix else np.float32).reshape((*size, 1)[:3])
                nib.save(nib.Nifti1Image(stored, OBLIQUE), path)
            pair[f"{name}{suffix}"] = str(path)
    return pair


def registered(pair: dict[str, Any], displacement: np.ndarray, alignment: str | None = None) -> dict[str, Any]:
    return {**ReadPaird(alignment)(pair), "pred": torch.as_tensor(displacement, dtype=torch.float32)}


def plane(path: str) -> sitk.Image:
    """A slice or picture as SimpleITK has it as a 2-D image: by hand, with nothing of ours."""
    if path.endswith(".png"):
        return sitk.ReadImage(path, sitk.sitkFloat32)
    image = nib.Nifti1Image.from_filename(path)
    flat = sitk.GetImageFromArray(np.asarray(image.dataobj, dtype=np.float32)[..., 0].T)
    flat.SetSpacing([float(z) for z in image.header.get_zooms()[:2]])
    return flat


@pytest.mark.parametrize("kind", ["volume", "slice", "picture"])
def test_simpleitk_makes_moved_and_moved_label_from_the_field_alone(tmp_path: Path, kind: str) -> None:
    pair = pair_of(tmp_path / "in", kind)
    size = SIZE if kind == "volume" else SIZE[:2]
    RegistrationWriter(tmp_path / "out").process(registered(pair, smooth(size)))
    folder = tmp_path / "out" / "007"
    vectors = sitk.ReadImage(str(folder / "displacement.nii.gz"))
    field = sitk.DisplacementFieldTransform(sitk.Cast(vectors, sitk.sitkVectorFloat64))
    read = partial(sitk.ReadImage, outputPixelType=sitk.sitkFloat32) if kind == "volume" else plane
    for name, interpolator in (("moving", sitk.sitkLinear), ("moving_label", sitk.sitkNearestNeighbor)):
        moved = sitk.Resample(read(pair[name]), read(pair["fixed"]), field, interpolator, 0.0)
        written = nib.Nifti1Image.from_filename(folder / f"{name.replace('moving', 'moved')}.nii.gz")
        result = np.asarray(written.dataobj)
        np.testing.assert_allclose(
            result.reshape(size), sitk.GetArrayFromImage(moved).T, rtol=0, atol=1e-3
        )  # float32, values near 100
    if kind != "picture":
        source, target = (nib.Nifti1Image.from_filename(p) for p in (pair["fixed"], folder / "moved.nii.gz"))
        assert target.shape == source.shape
        np.testing.assert_array_equal(target.affine, source.affine)
    assert (folder / "figure.png").is_file()


def test_figures_are_those_of_the_files(tmp_path: Path) -> None:
    pair = pair_of(tmp_path / "in", "volume")
    figures = RegistrationWriter(tmp_path / "out").process(registered(pair, 4 * smooth(SIZE)))
    folder = tmp_path / "out" / "007"
    jacobian = np.asarray(nib.Nifti1Image.from_filename(folder / "jacobian.nii.gz").dataobj)
    assert figures["folds_percent"] == pytest.approx(100 * (jacobian <= 0).mean(), abs=1e-3)
    assert figures["sd_log_jacobian"] == pytest.approx(np.log(jacobian[jacobian > 0]).std(), abs=1e-3)
    paths = {"before": pair["moving_label"], "fixed": pair["fixed_label"], "after": folder / "moved_label.nii.gz"}
    labels = {name: np.asarray(nib.Nifti1Image.from_filename(path).dataobj) for name, path in paths.items()}
    for name in ("before", "after"):
        dice = [2 * ((labels[name] == i) & (labels["fixed"] == i)).sum()
                / ((labels[name] == i).sum() + (labels["fixed"] == i).sum()) for i in (1, 2)]  # fmt: skip
        assert figures[f"dice_{name}"] == pytest.approx(np.mean(dice), abs=1e-4)
    vectors = np.asarray(nib.Nifti1Image.from_filename(folder / "displacement.nii.gz").dataobj)
    assert figures["displacement_mm"] == pytest.approx(np.linalg.norm(vectors, axis=-1).mean(), abs=1e-4)


def test_the_affine_stage_is_part_of_the_field(tmp_path: Path) -> None:
    """With no displacement besides, the field is the affine transform at every voxel."""
    pair = pair_of(tmp_path / "in", "volume")
    result = registered(pair, np.zeros((3, *SIZE)))
    matrix = np.eye(4)
    matrix[:3] = [[1.0, 0.1, 0, 2], [-0.1, 0.9, 0, -1], [0, 0.05, 1.1, 0.5]]
    RegistrationWriter(tmp_path / "out").process({**result, "initial": torch.as_tensor(matrix)})
    field = sitk.ReadImage(str(tmp_path / "out" / "007" / "displacement.nii.gz"))
    for index in ((0, 0, 0), (5, 9, 3), (23, 19, 15)):
        point = np.array(field.TransformIndexToPhysicalPoint(index))
        assert point + field[index] == pytest.approx(matrix[:3, :3] @ point + matrix[:3, 3], abs=1e-4)


def test_finished_pairs_have_the_figures_of_the_run_and_spoilt_ones_are_made_anew(tmp_path: Path) -> None:
    pair, writer = pair_of(tmp_path / "in", "slice"), RegistrationWriter(tmp_path / "out")
    assert writer.finished(pair) is None
    figures = writer.process(registered(pair, smooth(SIZE[:2])))
    assert writer.finished(pair) == figures
    (tmp_path / "out" / "007" / "displacement.nii.gz").write_bytes(b"no")
    assert writer.finished(pair) is None


def test_results_do_not_replace_the_images(tmp_path: Path) -> None:
    pair = pair_of(tmp_path / "007", "volume")
    (tmp_path / "007" / "fixed.nii.gz").rename(tmp_path / "007" / "moved.nii.gz")
    pair["fixed"] = str(tmp_path / "007" / "moved.nii.gz")
    with pytest.raises(InputError, match="choose another --output_dir"):
        RegistrationWriter(tmp_path).process(registered(pair, np.zeros((3, *SIZE))))
