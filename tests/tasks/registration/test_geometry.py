"""Files of awkward geometry and ids: SimpleITK makes the written result from the field and the files alone."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
import torch
from scipy import ndimage

from shared.engine.datasets import opened_files
from shared.errors import InputError
from shared.tasks.registration.results import RegistrationWriter
from shared.tasks.registration.transforms import ReadPaird

SIZE = (22, 24, 20)
AFFINE = np.array([[1.0, 0, 0, -20], [0, 1, 0, 30], [0, 0, 1.2, 5], [0, 0, 0, 1]])
TURNED = np.array([[0.955, -0.296, 0, -25], [0.296, 0.955, 0, 19], [0, 0, 1.2, 7], [0, 0, 0, 1]])


def blobs(size: Sequence[int], seed: int) -> np.ndarray:
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=size), 2, mode="nearest")
    return (100 + 30 * noise / noise.std()).astype(np.float32)


def store(path: Path, image: np.ndarray, affine: np.ndarray, codes: tuple[int, int] = (2, 0)) -> str:
    """codes: of the sform, which holds `TURNED` where both count, and of the qform, which holds `affine`."""
    file = nib.Nifti1Image(image, affine)
    file.set_qform(affine, codes[1])
    file.set_sform(TURNED if all(codes) else affine, codes[0])
    nib.save(file, path)
    return str(path)


def displaced(pair: dict[str, Any], out: Path, amplitude: float = 1.4, alignment: str = "none") -> dict[str, Any]:
    """Write what comes of a smooth displacement, of so many voxels at most, on the grid that the network sees."""
    result = ReadPaird(alignment)(pair)
    size = tuple(result["image"].shape[1:])
    fields = [ndimage.gaussian_filter(np.random.default_rng(n).normal(size=size), 4) for n in range(len(size))]
    pred = torch.as_tensor(np.stack([amplitude * f / abs(f).max() for f in fields]), dtype=torch.float32)
    files = opened_files(pair)
    return RegistrationWriter(out, pictures=False).process(
        {**result, "files": files, "pred": pred, "network_seconds": 0.0}
    )


def seen(path: str | Path) -> sitk.Image:
    """A file as SimpleITK reads it; one slice stored as a volume as a 2-D image without origin and direction."""
    image = sitk.ReadImage(str(path))
    if image.GetDimension() == 2 or 1 not in image.GetSize():
        return image
    thin = image.GetSize().index(1)
    plane = sitk.GetImageFromArray(sitk.GetArrayFromImage(image).squeeze(2 - thin))
    plane.SetSpacing([s for axis, s in enumerate(image.GetSpacing()) if axis != thin])
    return plane


def assert_simpleitk_agrees(pair: dict[str, Any], folder: Path) -> None:
    vectors = sitk.ReadImage(str(folder / "displacement.nii.gz"), sitk.sitkVectorFloat64)
    fixed = seen(pair["fixed"])
    assert vectors.GetSize() == fixed.GetSize()
    for part in ("GetOrigin", "GetSpacing", "GetDirection"):
        assert getattr(vectors, part)() == pytest.approx(getattr(fixed, part)(), abs=1e-5)
    transform = sitk.DisplacementFieldTransform(vectors)
    moved, written = sitk.Resample(seen(pair["moving"]), fixed, transform), seen(folder / "moved.nii.gz")
    for part in ("GetSize", "GetOrigin", "GetSpacing", "GetDirection"):
        assert getattr(written, part)() == pytest.approx(getattr(fixed, part)(), abs=1e-5)
    expected, given = map(sitk.GetArrayFromImage, (moved, written))
    assert (expected != 0).mean() > 0.3
    # float32, of values near 100; at the very border of the moving image rounding decides whether a voxel is in it.
    off = abs(expected - given) > 1e-2
    assert off.mean() < 0.01
    assert not off[(expected != 0) & (given != 0)].any()


@pytest.mark.parametrize("codes", [(4, 1), (2, 1), (0, 0), (1, 2), (0, 1), (2, 0), (1, 1)])
def test_forms_that_differ_or_have_no_code_hold_in_simpleitk(tmp_path: Path, codes: tuple[int, int]) -> None:
    pair = {
        "case": "1",
        "moving": store(tmp_path / "m.nii.gz", blobs((20, 24, 22), 1), AFFINE, codes),
        "fixed": store(tmp_path / "f.nii.gz", blobs(SIZE, 2), AFFINE, codes),
    }
    displaced(pair, tmp_path / "out")
    assert_simpleitk_agrees(pair, tmp_path / "out" / "1")


def test_images_whose_forms_have_other_codes_meet_where_itk_sees_them(tmp_path: Path) -> None:
    image = blobs(SIZE, 1)
    pair = {
        "case": "1",
        "moving": store(tmp_path / "m.nii.gz", image, AFFINE, (2, 1)),  # ITK takes the qform
        "fixed": store(tmp_path / "f.nii.gz", image, AFFINE),
    }
    assert displaced(pair, tmp_path / "out", 0.0)["displacement_mm"] == 0
    pair_seen = ReadPaird()(pair)["image"]
    np.testing.assert_allclose(pair_seen[0], pair_seen[1], rtol=0, atol=1e-3)


def other_storage(folder: Path, image: np.ndarray, thin: int) -> dict[str, str]:
    """A slice in files that store it in other ways, which all show the same at the same place."""
    volume = np.expand_dims(image, thin)
    plane = [axis for axis in range(3) if axis != thin]
    first, second = plane
    affine = np.eye(4)
    affine[:3] = np.column_stack([TURNED[:3, :3] * [1, 1.1, 1.2], [12, -30, 7]])
    crop: list[Any] = [slice(None)] * 3
    crop[first], crop[second] = slice(6, None), slice(2, -3)
    offset = np.zeros(3)
    offset[[first, second]] = 6, 2
    cropped = affine.copy()
    cropped[:3, 3] += affine[:3, :3] @ offset
    flip, swap = (nib.orientations.io_orientation(np.eye(4)) for _ in range(2))
    flip[first, 1] = -1
    swap[[first, second], 0] = second, first
    made = {
        "slice": nib.Nifti1Image(volume, affine),
        "cropped": nib.Nifti1Image(volume[tuple(crop)], cropped),
        "flipped": nib.Nifti1Image(volume, affine).as_reoriented(flip),
        "swapped": nib.Nifti1Image(volume, affine).as_reoriented(swap),
    }
    for name, file in made.items():
        nib.save(file, folder / f"{name}.nii.gz")
    return {name: str(folder / f"{name}.nii.gz") for name in made}


@pytest.mark.parametrize("thin", [0, 1, 2])
@pytest.mark.parametrize("name", ["cropped", "flipped", "swapped"])
def test_a_slice_stored_in_another_way_is_where_it_is(tmp_path: Path, name: str, thin: int) -> None:
    files = other_storage(tmp_path, blobs((40, 44), 1), thin)
    for case, moving, fixed in (("to", name, "slice"), ("from", "slice", name)):
        pair = {"case": case, "moving": files[moving], "fixed": files[fixed]}
        figures = displaced(pair, tmp_path / "still", 0.0)
        assert figures["displacement_mm"] == pytest.approx(0, abs=1e-3)
        assert (figures["folds_percent"], figures["sd_log_jacobian"]) == (0, pytest.approx(0, abs=1e-4))
        given, expected = (
            np.asarray(nib.Nifti1Image.from_filename(path).dataobj)
            for path in (tmp_path / "still" / case / "moved.nii.gz", files[fixed])
        )
        covered = given != 0
        assert covered.mean() > 0.7
        np.testing.assert_allclose(given[covered], expected[covered], rtol=0, atol=1e-2)
        assert_simpleitk_agrees(pair, tmp_path / "still" / case)
        moved = displaced(pair, tmp_path / "out")
        assert 0.1 < moved["displacement_mm"] < 1.5
        assert moved["folds_percent"] == 0
        assert_simpleitk_agrees(pair, tmp_path / "out" / case)


def test_a_finished_slice_has_the_figures_of_the_run(tmp_path: Path) -> None:
    files = other_storage(tmp_path, blobs((40, 44), 1), 2)
    pair = {"case": "1", "moving": files["flipped"], "fixed": files["slice"]}
    figures = displaced(pair, tmp_path / "out")
    again = RegistrationWriter(tmp_path / "out", pictures=False).finished(pair)
    assert again is not None
    for name, value in again.items():
        assert value == pytest.approx(figures[name], abs=2e-4), name  # the field in the file is of float32


@pytest.mark.parametrize("alignment", ["centre", "rigid", "affine"])
def test_slices_are_aligned_where_they_are_not_as_they_are_stored(tmp_path: Path, alignment: str) -> None:
    """The same slice, stored flipped and 5 mm away: aligned, nothing is left but rounding of the optimiser."""
    image = blobs((60, 64), 1)[..., None]
    away = np.diag([-1.0, 1, 1, 1])
    away[:3, 3] = [59 + 5, -3, 0]
    fixed = store(tmp_path / "f.nii", image, np.eye(4))
    moving = store(tmp_path / "m.nii", image[::-1].copy(), away)
    pair = ReadPaird(alignment)({"moving": moving, "fixed": fixed})
    core = pair["image"][:, 8:-8, 8:-8]
    assert float((core[0] - core[1]).abs().mean()) < (0.01 if alignment == "centre" else 2)  # contrast of 30
    displaced({"case": "1", "moving": moving, "fixed": fixed}, tmp_path / "out", alignment=alignment)
    assert_simpleitk_agrees({"moving": moving, "fixed": fixed}, tmp_path / "out" / "1")


PLANE = np.array([[0.955, -0.296, 0, 0], [0.296, 0.955, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])  # turned by 17°


@pytest.mark.parametrize(
    ("fixed", "moving"),
    [(np.diag([-1.0, -1, 1, 1]), np.diag([-1.0, -1, 1, 1])), (np.diag([0.9, 1.1, 1, 1]), PLANE)],
)
def test_files_of_two_dimensions_hold_in_simpleitk(tmp_path: Path, fixed: np.ndarray, moving: np.ndarray) -> None:
    centre = [20, 22, 0, 1]
    moving = moving + np.outer(fixed @ centre - moving @ centre, [0, 0, 0, 1])  # so that they overlap
    pair = {
        "case": "1",
        "moving": store(tmp_path / "m.nii.gz", blobs((40, 44), 1), moving),
        "fixed": store(tmp_path / "f.nii.gz", blobs((40, 44), 2), fixed),
    }
    displaced(pair, tmp_path / "out")
    assert_simpleitk_agrees(pair, tmp_path / "out" / "1")


def test_files_of_two_dimensions_that_lie_beside_one_another_are_refused(tmp_path: Path) -> None:
    """One with y up and one with y down: their first rows fall together and nothing else; centred they are aligned."""
    pair = {
        "case": "1",
        "moving": store(tmp_path / "m.nii.gz", blobs((40, 44), 1), np.diag([-1.0, -1, 1, 1])),
        "fixed": store(tmp_path / "f.nii.gz", blobs((40, 44), 2), np.diag([-1.0, 1, -1, 1])),
    }
    with pytest.raises(InputError, match=r"m.nii.gz: expected an image that overlaps .*; [^\n]* add --affine rigid\Z"):
        ReadPaird()(pair)
    displaced(pair, tmp_path / "out", alignment="centre")
    assert_simpleitk_agrees(pair, tmp_path / "out" / "1")


def labelled(folder: Path, ids: Sequence[int]) -> dict[str, str]:
    pair = {"case": "1"}
    for seed, name in enumerate(("moving", "fixed")):
        image = blobs(SIZE, seed)
        labels = np.where(image > 125, ids[1], np.where(image > 105, ids[0], 0)).astype(np.int32)
        pair[name] = store(folder / f"{name}.nii.gz", image, AFFINE)
        pair[f"{name}_label"] = store(folder / f"{name}_label.nii.gz", labels, AFFINE)
    return pair


@pytest.mark.parametrize(
    ("ids", "kind"), [((1, 2), np.int16), ((17, 614_454_277), np.int32), ((40_000, 40_001), np.int32)]
)
def test_ids_of_any_size_come_back_to_the_digit(tmp_path: Path, ids: tuple[int, int], kind: type) -> None:
    pair = labelled(tmp_path, ids)
    figures = displaced(pair, tmp_path / "out")
    written = nib.Nifti1Image.from_filename(tmp_path / "out" / "1" / "moved_label.nii.gz")
    assert written.get_data_dtype() == kind
    assert set(np.unique(written.dataobj)) == {0, *ids}
    field = sitk.ReadImage(str(tmp_path / "out" / "1" / "displacement.nii.gz"), sitk.sitkVectorFloat64)
    moved = sitk.Resample(
        sitk.ReadImage(pair["moving_label"]), sitk.ReadImage(pair["fixed"]), sitk.DisplacementFieldTransform(field),
        sitk.sitkNearestNeighbor,
    )  # fmt: skip
    assert (np.asarray(written.dataobj) == sitk.GetArrayFromImage(moved).T).mean() > 0.999  # ties at half a voxel
    (tmp_path / "small").mkdir()
    small = displaced(labelled(tmp_path / "small", (1, 2)), tmp_path / "small" / "out")
    assert figures == small
    assert (ReadPaird()(pair)["label"].dtype, ReadPaird()(pair)["label"].max()) == (torch.int32, max(ids))


def test_ids_that_differ_beyond_float32_are_two(tmp_path: Path) -> None:
    one, two = 614_454_277, 614_454_278
    assert np.float32(one) == np.float32(two)
    small, large = tmp_path / "small", tmp_path / "large"
    small.mkdir()
    large.mkdir()
    expected = displaced(labelled(small, (1, 2)), small / "out")
    assert displaced(labelled(large, (one, two)), large / "out") == expected


@pytest.mark.parametrize("role", ["moving", "fixed"])
def test_labels_on_another_grid_count_where_they_lie(tmp_path: Path, role: str) -> None:
    pair = labelled(tmp_path, (1, 2))
    expected = displaced(pair, tmp_path / "out")
    labels = nib.Nifti1Image.from_filename(pair[f"{role}_label"])
    nib.save(labels.as_reoriented(np.array([[1, -1], [0, 1], [2, -1]])), tmp_path / "turned.nii.gz")
    assert displaced({**pair, f"{role}_label": str(tmp_path / "turned.nii.gz")}, tmp_path / "turned") == expected
    values = np.pad(np.asarray(labels.dataobj), 3)
    padded = AFFINE.copy()
    padded[:3, 3] -= AFFINE[:3, :3] @ [3, 3, 3]
    larger = store(tmp_path / "padded.nii.gz", values, padded)
    assert displaced({**pair, f"{role}_label": larger}, tmp_path / "padded") == expected
    cropped = store(tmp_path / "cropped.nii.gz", values[5:, 3:-3, 3:-3], AFFINE @ [[1, 0, 0, 2], *np.eye(4)[1:]])
    figures = displaced({**pair, f"{role}_label": cropped}, tmp_path / "cropped")
    assert abs(figures["dice_after"] - expected["dice_after"]) < 0.1  # two columns fewer


def test_labels_of_slices_follow_their_own_affines(tmp_path: Path) -> None:
    files = other_storage(tmp_path, blobs((40, 44), 1), 2)
    (tmp_path / "labels").mkdir()
    labels = other_storage(tmp_path / "labels", np.round(blobs((40, 44), 1) / 30), 2)
    pair = {"case": "1", "moving": files["flipped"], "fixed": files["slice"]}
    own = {"moving_label": labels["flipped"], "fixed_label": labels["slice"]}
    other = {"moving_label": labels["swapped"], "fixed_label": labels["flipped"]}
    for name, chosen in (("own", own), ("other", other)):
        figures = displaced({**pair, **chosen}, tmp_path / name, 0.0)
        assert (figures["dice_before"], figures["dice_after"]) == (1, 1)


def test_labels_that_cannot_be_of_the_image_are_refused(tmp_path: Path) -> None:
    pair = labelled(tmp_path, (1, 2))
    away = AFFINE.copy()
    away[:3, 3] += 500
    labels = np.asarray(nib.Nifti1Image.from_filename(pair["fixed_label"]).dataobj)
    elsewhere = store(tmp_path / "elsewhere.nii.gz", labels, away)
    plane = store(tmp_path / "plane.nii.gz", labels[..., :1], AFFINE)
    channels = store(tmp_path / "channels.nii.gz", np.stack([labels, 2 * labels], axis=-1), AFFINE)
    halves = store(tmp_path / "halves.nii.gz", labels / np.float32(2), AFFINE)
    for path, words in (
        (elsewhere, "elsewhere.nii.gz: expected labels within .*fixed.nii.gz, got labels that lie elsewhere"),
        (plane, "plane.nii.gz: expected 3 dimensions, as .*fixed.nii.gz, got 2"),
        (channels, "channels.nii.gz: expected one id a voxel, got 2 channels"),
        (halves, "halves.nii.gz: expected whole numbers as ids"),
    ):
        with pytest.raises(InputError, match=rf"\A[^\n]*{words}[^\n]*\Z"):
            displaced({**pair, "fixed_label": path}, tmp_path / "out")
