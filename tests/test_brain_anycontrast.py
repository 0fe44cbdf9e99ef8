"""What a user of the segmentation of heads meets: its files, heads that lie otherwise, and what is no head.

Run at 2 mm, as the network was trained: at other spacings it is sure of nothing.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from shared.door import open_bundle
from shared.errors import InputError
from shared.files import read_table
from shared.images.file import ImageFile
from shared.images.reading import read_image
from shared.images.resizing import resized
from shared.studies.no_heads import NO_HEADS
from shared.tasks.segmentation.brains import SegmentedBrain
from tests.running import run_here

BUNDLE = Path(__file__).parents[1] / "bundles" / "brain_anycontrast_segmentation"
SAMPLES = BUNDLE / "sample_data"
HEAD, OTHER, THICK = "imagesTr/IXI014_t1", "imagesTr/IXI015_t1", "imagesTs/IXI015_t1_6mm"
IDS = {0, 2, 3, 4, 5, 7, 8, *range(10, 19), 24, 26, 28, *range(41, 45), 46, 47, *range(49, 55), 58, 60}
WORKING = [2.0, 2.0, 2.0]
VOXEL_MM3 = {HEAD: 8.0, THICK: 24.0}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of the samples, with all that there may be."""
    out = tmp_path_factory.mktemp("brains")
    return run_here(BUNDLE, out, dataset_dir=SAMPLES, pixdim=WORKING, brain_mask=True, probabilities=True)


def predicted(image: ImageFile | Path, **options: Any) -> SegmentedBrain:
    brain = open_bundle(BUNDLE, device="cpu", pixdim=WORKING).predict(image, **options)
    assert isinstance(brain, SegmentedBrain)
    return brain


@pytest.fixture(scope="module")
def found() -> SegmentedBrain:
    """What is found in the first sample."""
    return predicted(read_image(SAMPLES / f"{HEAD}.nii.gz"))


def stored(folder: Path, name: str) -> nib.Nifti1Image:
    return nib.Nifti1Image.from_filename(folder / f"{name}.nii.gz")


@pytest.mark.parametrize("name", [HEAD, THICK])
def test_ids_lie_on_the_grid_of_the_scan(written: Path, name: str) -> None:
    labels, scan = stored(written, name), stored(SAMPLES, name)
    assert labels.shape == scan.shape
    np.testing.assert_array_equal(labels.affine, scan.affine)
    assert labels.get_data_dtype() == np.uint8
    assert {*np.unique(np.asarray(labels.dataobj)).tolist()} <= IDS
    assert (written / "overlays" / f"{name}.png").is_file()


@pytest.mark.parametrize("name", [HEAD, THICK])
def test_probabilities_sum_to_1_and_the_likeliest_is_what_the_label_map_holds(written: Path, name: str) -> None:
    ids, stored_maps = np.asarray(stored(written, name).dataobj), stored(written, f"{name}_probabilities")
    maps = stored_maps.get_fdata(dtype=np.float32)
    assert maps.shape == (*ids.shape, len(IDS))
    # 33 roundings to a 65535th, each wrong by half of one.
    np.testing.assert_allclose(maps.sum(axis=-1), 1, atol=33 / 65535)
    likeliest = np.array(sorted(IDS))[maps.argmax(axis=-1)]
    assert (likeliest == ids).mean() > 0.9999  # but for classes that are equal once they are rounded


@pytest.mark.parametrize("name", [HEAD, THICK])
def test_the_mask_is_the_brain_and_volumes_sum_up(written: Path, name: str) -> None:
    (row,) = (row for row in read_table(written / "summary.csv") if row["case"] == name)
    volumes = {key.removesuffix("_mm3"): float(value) for key, value in row.items() if key.endswith("_mm3")}
    brain, intracranial = volumes.pop("brain"), volumes.pop("intracranial")
    assert len(volumes) == len(IDS) - 1
    # 32 roundings to a tenth of a mm³.
    assert sum(volumes.values()) == pytest.approx(intracranial, abs=2)
    assert intracranial - volumes["csf"] == pytest.approx(brain, abs=2)
    ids, mask = (np.asarray(stored(written, stem).dataobj) for stem in (name, f"{name}_brain_mask"))
    np.testing.assert_array_equal(mask, ~np.isin(ids, [0, 24]))
    # Sums of probabilities and counts of voxels differ where borders are unsure, about as much on either side.
    assert mask.sum() * VOXEL_MM3[name] == pytest.approx(brain, rel=0.15)


def test_python_saves_what_the_command_line_writes(written: Path, tmp_path: Path) -> None:
    predicted(SAMPLES / f"{THICK}.nii.gz", brain_mask=True, probabilities=True).save(tmp_path)
    stem = Path(THICK).name
    names = [f"{stem}{ending}.nii.gz" for ending in ("", "_brain_mask", "_probabilities")]
    assert sorted(path.name for path in tmp_path.glob("*.nii.gz")) == sorted(names)
    folders = (tmp_path, (written / THICK).parent)
    for name in names:
        found, expected = (nib.Nifti1Image.from_filename(folder / name).get_fdata() for folder in folders)
        np.testing.assert_array_equal(found, expected)


def test_a_head_that_is_turned_and_mirrored_has_the_same_labels_at_the_same_places(found: SegmentedBrain) -> None:
    """To the voxel: the grid on which the network runs is the same, whichever way the axes are stored."""
    head = read_image(SAMPLES / f"{HEAD}.nii.gz")
    orientation = np.array([[2, -1], [0, 1], [1, -1]])
    values = np.ascontiguousarray(nib.apply_orientation(head.values[0], orientation))[None]
    affine = head.affine @ nib.orientations.inv_ornt_aff(orientation, head.shape)
    turned = predicted(ImageFile(Path("turned"), values, affine))
    np.testing.assert_array_equal(turned.labels, nib.apply_orientation(found.labels, orientation))
    assert turned.figures() == found.figures()


@pytest.mark.parametrize(
    ("size", "least"), [pytest.param((180, 180, 135), 0.9, marks=pytest.mark.slow), ((120, 40, 90), 0.85)]
)
def test_a_head_of_other_voxels_has_nearly_the_same_brain(
    size: tuple[int, int, int], least: float, found: SegmentedBrain
) -> None:
    """Of 1.3 mm, and of slices 6 mm thick, which blur borders by up to half a slice: brains of some 140 mm."""
    head = read_image(SAMPLES / f"{HEAD}.nii.gz")
    scales = np.divide(head.shape, size)
    change = np.diag([*scales, 1.0])
    change[:3, 3] = (scales - 1) / 2
    other = predicted(ImageFile(Path("other"), resized(head.values, size), head.affine @ change))
    masks = [resized(other.brain_mask[None].astype(np.float32), head.shape)[0] > 0.5, found.brain_mask > 0]
    dice = 2 * (masks[0] & masks[1]).sum() / (masks[0].sum() + masks[1].sum())
    assert dice > least


@pytest.mark.parametrize(
    "make",
    [pytest.param(make, id=name, marks=[pytest.mark.slow] * (name != "a knee")) for name, make in NO_HEADS.items()],
)
def test_what_is_no_head_has_a_quality_far_below_that_of_a_head(
    make: Callable[[], ImageFile], found: SegmentedBrain
) -> None:
    assert predicted(make()).quality < 0.5 * found.quality


def test_an_empty_volume_and_a_picture_are_refused(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(np.zeros((20, 20, 20), dtype=np.int16), np.eye(4)), tmp_path / "empty.nii.gz")
    Image.fromarray(np.arange(100, dtype=np.uint8).reshape(10, 10)).save(tmp_path / "photograph.png")
    opened = open_bundle(BUNDLE, device="cpu", pixdim=WORKING)
    with pytest.raises(InputError, match="expected an image with contrast, got 0 everywhere"):
        opened.predict(tmp_path / "empty.nii.gz")
    with pytest.raises(InputError, match="expected 3 dimensions, got 2"):
        opened.predict(tmp_path / "photograph.png")


def test_evaluation_scores_the_structures_that_the_labels_have(tmp_path: Path) -> None:
    out = run_here(BUNDLE, tmp_path, "evaluate", pixdim=WORKING, pictures=False, only=f"*{Path(OTHER).name}")
    (row,) = read_table(out / "metrics.csv")
    assert row["case"] == OTHER
    assert row["dice_csf"] == "nan"  # the samples' labels have none
    dice = [float(v) for key, v in row.items() if key.startswith("dice_") and key not in ("dice_csf", "dice_mean")]
    assert len(dice) == len(IDS) - 2
    assert float(row["dice_mean"]) == pytest.approx(np.mean(dice))
    assert float(row["quality"]) > 0
