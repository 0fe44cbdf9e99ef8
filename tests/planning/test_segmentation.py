"""A folder of images and labels becomes a bundle that trains, segments and scores."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from shared.errors import InputError
from shared.family import FAMILY
from shared.files import read_table
from shared.images.snapping import JPEG
from shared.planning.seen import thinnest
from shared.planning.segmentation_plan import longest_side
from shared.zoo import probe
from tests.planning.conftest import RunCommand
from tests.running import read_picture, run_here, write_picture

PhantomMaker = Callable[..., Path]


def config(bundle: Path, name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((bundle / "configs" / f"{name}.json").read_text(encoding="utf-8"))
    return content


def small(bundle: Path) -> dict[str, Any]:
    """Options of a narrow network."""
    return {"network_def#filters": [4] * len(config(bundle, "train")["network_def"]["filters"])}


@pytest.mark.parametrize("shape", [(20, 24, 18), (48, 40)], ids=["3D", "2D"])
def test_a_planned_bundle_trains_segments_and_scores(
    shape: tuple[int, ...], phantom_dataset: PhantomMaker, new_bundle: RunCommand, tmp_path: Path
) -> None:
    data = phantom_dataset(tmp_path / "data", count=5, shape=shape)
    bundle = new_bundle("cells_seg", data, "--budget", "30m", "--copy_samples", "--licence", "CC0")
    train = config(bundle, "train")
    assert train["class_names"] == ["background", "class_1", "class_2"]
    assert train["network_def"]["spatial_dims"] == len(shape)
    assert train["max_epochs"] > 10
    assert probe.network(bundle)  # takes and gives what metadata.json says, or raises

    short = {"max_epochs": 1, "crops_per_image": 1, "batch_size": 2}  # of four cases: two steps
    run_here(bundle, tmp_path / "training", "train", dataset_dir=data, **short, **small(bundle))
    weights = tmp_path / "training" / "model.pt"
    out = run_here(bundle, tmp_path / "out", weights=weights, **small(bundle))  # of the samples
    rows = read_table(out / "summary.csv")
    assert [row["status"] for row in rows] == ["ok"]
    scores = run_here(
        bundle, tmp_path / "scores", "evaluate", dataset_dir=data, weights=weights, part="validation", **small(bundle)
    )
    assert len(read_table(scores / "metrics.csv")) == 1


def test_another_network_is_planned_by_its_name(
    phantom_dataset: PhantomMaker, new_bundle: RunCommand, tmp_path: Path
) -> None:
    data = phantom_dataset(tmp_path / "data", shape=(48, 40))
    train = config(new_bundle("cells_seg", data, "--network", "FCN"), "train")
    assert train["network_def"]["_target_"] == FAMILY["fcn"]
    assert set(train["network_def"]) == {
        "_target_", "_requires_", "spatial_dims", "filters", "in_channels", "out_channels"
    }  # fmt: skip
    assert train["_desc_"].endswith("train a network (FCN) to find class_1, class_2.")
    with pytest.raises(InputError, match="--network: expected one of unet, "):
        new_bundle("other_seg", data, "--network", "segnet")


def test_large_pictures_of_large_objects_are_seen_whole_and_segmented_at_full_size(
    phantom_dataset: PhantomMaker, new_bundle: RunCommand, tmp_path: Path
) -> None:
    data = phantom_dataset(tmp_path / "data", count=5, shape=(210, 280), num_classes=2)
    bundle = new_bundle("cells_seg", data, "--budget", "1m", "--copy_samples", "--licence", "CC0")
    train = config(bundle, "train")
    side, (rows, columns) = train["longest_side"], train["patch_size"]
    assert 100 < side < 200  # what has 3,000 steps of 0.015 s, at the rate of tests
    assert 3 / 4 * side <= rows
    assert side <= columns
    short = {"max_epochs": 1, "crops_per_image": 1, "batch_size": 2}
    run_here(bundle, tmp_path / "training", "train", dataset_dir=data, **short, **small(bundle))
    weights = tmp_path / "training" / "model.pt"
    out = run_here(bundle, tmp_path / "out", weights=weights, **small(bundle))
    (row,) = read_table(out / "summary.csv")
    assert row["status"] == "ok"
    assert read_picture(out / f"{row['case']}.png").shape == (210, 280)


def test_thin_objects_keep_their_pixels() -> None:
    ids = np.zeros((400, 500), dtype=np.int64)
    ids[:, 100:108] = ids[:, 300:308] = 1
    assert thinnest(ids) * 500 == pytest.approx(8, rel=0.3)  # a strip's pixels are 1, 2, 3, 4, 4, … from its outside
    assert longest_side(thinnest(ids), [400, 500], [96, 96]) == 0  # 20 of 8 pixels would need a larger picture
    assert longest_side(0.3, [400, 500], [96, 96]) == 96  # a patch of 96 shows all
    assert longest_side(0.08, [400, 500], [96, 96]) == 250  # 8 % of which are 20 pixels: patches show parts
    assert longest_side(0.2, [100, 120], [96, 96]) == 0  # little smaller: left alone


def test_the_metadata_and_the_card_say_what_the_configs_have(
    phantom_dataset: PhantomMaker, new_bundle: RunCommand, tmp_path: Path
) -> None:
    bundle = new_bundle("cells_seg", phantom_dataset(tmp_path / "data"))
    formats, train = config(bundle, "metadata")["network_data_format"], config(bundle, "train")
    assert list(formats["outputs"]["pred"]["channel_def"].values()) == train["class_names"]
    assert formats["inputs"]["image"]["num_channels"] == train["channels"]
    card = (bundle / "docs" / "README.md").read_text(encoding="utf-8")
    assert '| `--class_names` | `["background", "class_1", "class_2"]` |' in card
    assert "| 4 images of 3 dimensions with label maps" in card
    assert not list((bundle / "sample_data").iterdir())  # nothing is copied that was not asked for


def test_names_modality_and_values_are_those_of_dataset_json(
    phantom_dataset: PhantomMaker, new_bundle: RunCommand, tmp_path: Path
) -> None:
    data = phantom_dataset(tmp_path / "data")
    content = {"labels": {"background": 0, "left_lobe": 1, "tumour": 2}, "channel_names": {"0": "CT"}}
    (data / "dataset.json").write_text(json.dumps(content), encoding="utf-8")
    train = config(new_bundle("lung_ct", data), "train")
    assert train["class_names"] == ["background", "left_lobe", "tumour"]
    assert "ScaleIntensityRanged" in str(train["preprocessing_transforms"])  # CT has one scale for all images
    flips = [part["spatial_axis"] for part in train["train"]["augmentation"] if part["_target_"] == "RandFlipd"]
    assert flips == [2]  # left and right by name, and the two halves by place, stay what they are


def test_black_and_white_labels_of_gray_pictures_in_colour_files(new_bundle: RunCommand, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(4):
        image = rng.integers(0, 255, (40, 40), dtype=np.uint8)
        write_picture(tmp_path / "data" / "images" / f"{number}.png", np.stack([image] * 3, axis=-1))
        label = np.zeros((40, 40), dtype=np.uint8)
        label[8:32, 8:32] = 255
        path = write_picture(tmp_path / "data" / "masks" / f"{number}.jpg", np.stack([label] * 3, axis=-1))
        assert path.read_bytes().startswith(JPEG)
    train = config(new_bundle("squares", tmp_path / "data"), "train")
    assert train["label_values"] == [0, 255]
    assert train["class_names"] == ["background", "foreground"]
    assert train["channels"] == 1


def test_each_fault_is_reported_in_a_line_and_nothing_is_written(
    phantom_dataset: PhantomMaker, new_bundle: RunCommand, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    data = phantom_dataset(tmp_path / "data", count=6)
    (data / "dataset.json").write_text(json.dumps({"labels": {"0": "background", "1": "one", "2": "two"}}))
    (data / "imagesTr" / "case_1.nii.gz").write_bytes(b"not a scan")
    volume = nib.Nifti1Image.from_filename(data / "labelsTr" / "case_2.nii.gz")
    ids = np.asarray(volume.dataobj)
    nib.save(nib.Nifti1Image(ids[1:], volume.affine), data / "labelsTr" / "case_2.nii.gz")
    nib.save(nib.Nifti1Image(ids + np.uint8(7), volume.affine), data / "labelsTr" / "case_3.nii.gz")
    with pytest.raises(InputError, match="expected a data set that can be trained on, got 3 faults"):
        new_bundle("cells_seg", data)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("bad data: ")]
    assert [next(n for n in "0123456" if f"case_{n}" in line) for line in lines] == ["1", "2", "3"]
    assert "the grid of its image" in lines[1]
    assert "values among [0, 1, 2]" in lines[2]
    assert not (tmp_path / "bundles").exists()


def test_every_image_without_a_label_is_named(
    phantom_dataset: PhantomMaker, new_bundle: RunCommand, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    data = phantom_dataset(tmp_path / "data", count=5)
    for number in (1, 3):
        (data / "labelsTr" / f"case_{number}.nii.gz").unlink()
    with pytest.raises(InputError, match="got 2 faults"):
        new_bundle("cells_seg", data)
    out = capsys.readouterr().out
    assert all(f"case_{number}.nii.gz: expected a label" in out for number in (1, 3))


def test_pictures_that_look_alike_across_the_parts_are_warned_of(
    phantom_dataset: PhantomMaker, new_bundle: RunCommand, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    data = phantom_dataset(tmp_path / "data", count=3, shape=(48, 40))
    (data / "dataset.json").write_text(json.dumps({"validation": ["images/copy.png"]}), encoding="utf-8")
    for folder in ("images", "labels"):
        (data / folder / "copy.png").write_bytes((data / folder / "case_1.png").read_bytes())
    new_bundle("cells_seg", data)
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("warning: ") and "copy.png of validation look alike" in line for line in lines)


def test_a_bundle_that_is_there_is_left_alone(
    phantom_dataset: PhantomMaker, new_bundle: RunCommand, tmp_path: Path
) -> None:
    (tmp_path / "bundles" / "cells_seg").mkdir(parents=True)
    with pytest.raises(InputError, match="expected a new bundle"):
        new_bundle("cells_seg", phantom_dataset(tmp_path / "data"))


def test_samples_are_copied_with_a_licence_alone(
    phantom_dataset: PhantomMaker, new_bundle: RunCommand, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="--licence: expected the licence"):
        new_bundle("cells_seg", phantom_dataset(tmp_path / "data"), "--copy_samples")


@pytest.mark.slow
def test_fine_labels_of_which_a_patch_shows_little_are_seen_in_cells(
    phantom_dataset: PhantomMaker, new_bundle: RunCommand, tmp_path: Path
) -> None:
    data = phantom_dataset(tmp_path / "data", count=2, shape=(112, 112, 104))
    dots = np.zeros((112, 112, 104), np.uint8)
    dots[::4, ::4, ::4], dots[2::4, 2::4, 2::4] = 1, 2  # which no coarser grid has
    for path in (data / "labelsTr").iterdir():
        nib.save(nib.Nifti1Image(dots, np.eye(4)), path)
    bundle = new_bundle("cells_seg", data, "--budget", "0.2m")
    train = config(bundle, "train")
    assert train["pixdim"] == [1, 1, 1]
    assert train["network_def"]["cell"] == [2, 2, 2]
    assert all(side % 2 == 0 for side in train["patch_size"])
    assert probe.network(bundle)
