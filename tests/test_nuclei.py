"""The nuclei bundle: pictures of every format and size, instances across seams, its files, and what it refuses."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import label as connected_parts

from shared.files import read_table
from shared.tasks.instances.metrics import aggregated_jaccard, average_precision, panoptic_quality
from tests.running import (
    assert_only_the_bad_failed,
    read_picture,
    run_here,
    write_bad_pictures,
    write_in_every_format,
    write_picture,
)

ROOT = Path(__file__).parents[1]
BUNDLE = ROOT / "bundles" / "nuclei_maskrcnn_instance_segmentation"
DATA = Path(__file__).parents[2] / "shared" / "data" / "nuclei"
SAMPLES = BUNDLE / "sample_data"
SAMPLE = SAMPLES / "images" / "fluorescence_0bf4b144.png"  # 256 × 256, 57 nuclei
THRESHOLD = json.loads((BUNDLE / "configs" / "inference.json").read_text())["threshold"]
COLOUR = SAMPLES / "images" / "histology_24a20f2a.png"  # 320 × 256, not a square


def find(dataset_dir: Path, output_dir: Path, config: str = "inference", **options: Any) -> Path:
    return run_here(BUNDLE, output_dir, config, dataset_dir=dataset_dir, **options)


def agreement(found: np.ndarray, reference: np.ndarray) -> float:
    """The average precision at an IoU of 0.5."""
    return float(average_precision(found, reference, [0.5])[0])


@pytest.fixture(scope="module")
def sample() -> np.ndarray:
    return read_picture(SAMPLE)


def test_a_picture_gets_the_same_instances_in_every_format(sample: np.ndarray, tmp_path: Path) -> None:
    gray = sample[:200, :161]
    names = write_in_every_format(tmp_path / "in", gray)
    assert len(names) == 8
    out = find(tmp_path / "in", tmp_path / "out", bfloat16=False)
    expected = read_picture(out / "gray.png")
    assert expected.shape == gray.shape
    assert (out / "gray.png").read_bytes()[24] == 16  # bits a pixel, as the PNG's header has it
    for name in names:
        given = read_picture(out / f"{name}.png")
        # Scaled by its percentiles, each is the same picture but for the last bits of float32.
        assert agreement(given, expected) == 1, name
        assert ((given > 0) != (expected > 0)).mean() < 1e-3, name


@pytest.mark.parametrize("size", [(1, 40), (17, 300), (31, 16), (257, 255)])
def test_pictures_of_any_size_get_maps_of_their_own_size(
    sample: np.ndarray, tmp_path: Path, size: tuple[int, int]
) -> None:
    picture = np.pad(sample, 30, mode="reflect")[: size[0], : size[1]]
    out = find(write_picture(tmp_path / "a.png", picture), tmp_path / "out")
    assert read_picture(out / "a.png").shape == size
    content = json.loads((out / "a.json").read_text())
    assert (content["height"], content["width"]) == size


def test_the_map_lies_on_its_picture_and_not_on_its_mirror_image(tmp_path: Path) -> None:
    for path in (SAMPLE, COLOUR):
        found = read_picture(find(path, tmp_path / "out") / f"{path.stem}.png")
        reference = read_picture(SAMPLES / "labels" / path.name)
        assert agreement(found, reference) > 0.5
        for turned in (reference[::-1], reference[:, ::-1], reference[::-1, ::-1]):
            assert agreement(found, turned) < 0.1


def test_files_say_the_same_of_each_instance_and_none_is_in_two_parts(tmp_path: Path) -> None:
    out = find(COLOUR, tmp_path / "out", formats=["geojson", "coco"])
    ids, name = read_picture(out / f"{COLOUR.stem}.png").astype(int), COLOUR.stem
    content = json.loads((out / f"{name}.json").read_text())
    assert {key: content[key] for key in ("image", "width", "height")} == {
        "image": COLOUR.name,
        "width": 320,
        "height": 256,
    }
    instances = content["instances"]
    assert [i["id"] for i in instances] == list(range(1, ids.max() + 1))
    assert ids.max() > 15
    for instance in instances:
        mask = ids == instance["id"]
        rows, columns = np.nonzero(mask)
        assert instance["box"] == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert instance["area_px"] == mask.sum()
        assert instance["label"] == "nucleus"
        assert THRESHOLD < instance["score"] <= 1
        assert connected_parts(mask)[1] == 1
    scores = [i["score"] for i in instances]
    assert scores == sorted(scores, reverse=True)
    (row,) = read_table(out / "summary.csv")
    assert int(row["count"]) == len(instances)
    assert float(row["mean_area_px"]) == pytest.approx(np.mean([i["area_px"] for i in instances]), abs=0.1)
    assert float(row["density_per_megapixel"]) == pytest.approx(1e6 * len(instances) / ids.size, abs=0.1)
    assert len(json.loads((out / f"{name}.geojson").read_text())["features"]) == len(instances)
    assert len(json.loads((out / "instances.json").read_text())) == len(instances)
    assert (out / "overlays" / f"{name}.png").is_file()


@pytest.mark.slow
def test_a_picture_in_tiles_has_the_instances_that_it_has_as_a_whole(tmp_path: Path) -> None:
    mosaic = np.tile(read_picture(SAMPLES / "images" / "fluorescence_1f000806.png")[:256, :256], (2, 2))
    picture = write_picture(tmp_path / "a.png", np.concatenate([mosaic, np.tile(read_picture(SAMPLE), (2, 1))], axis=1))
    whole = read_picture(find(picture, tmp_path / "whole", roi_size=[1024, 1024]) / "a.png")
    tiled = read_picture(find(picture, tmp_path / "tiled", roi_size=[256, 256]) / "a.png")
    assert whole.max() > 100
    # Not all: group norms see another picture, and what has a score near the threshold may go either way.
    assert agreement(tiled, whole) > 0.85
    # Counted twice along the seams, or cut, instances would be more by those that lie on the seams, about a third.
    assert 0.93 < tiled.max() / whole.max() < 1.07
    assert all(connected_parts(tiled == number)[1] == 1 for number in range(1, tiled.max() + 1))


@pytest.mark.slow
def test_two_thousand_nuclei_are_found(sample: np.ndarray, tmp_path: Path) -> None:
    """A sample of 57 nuclei at half its size, 9 × 9 times; in tiles that hold fewer than the network's 400 places."""
    half = np.asarray(Image.fromarray(sample).resize((128, 128), Image.Resampling.BOX))
    out = find(write_picture(tmp_path / "a.png", np.tile(half, (9, 9))), tmp_path / "out", roi_size=[256, 256])
    (row,) = read_table(out / "summary.csv")
    single = find(write_picture(tmp_path / "b.png", np.tile(half, (2, 2))), tmp_path / "out2")
    of_four = int(read_table(single / "summary.csv")[0]["count"])
    assert int(row["count"]) > 2000
    assert int(row["count"]) == pytest.approx(81 / 4 * of_four, rel=0.1)
    assert read_picture(out / "a.png").max() == int(row["count"])


@pytest.mark.slow
def test_a_picture_of_8192_pixels_is_done_in_bounded_memory(tmp_path: Path) -> None:
    tile = read_picture(SAMPLE)
    picture = write_picture(tmp_path / "large.png", np.tile(tile, (32, 32)))
    command = [sys.executable, "-W", "ignore", "-m", "monai.bundle", "run", "--device", "cpu"]
    command += ["--config_file", str(BUNDLE / "configs" / "inference.json")]
    command += ["--dataset_dir", str(picture), "--output_dir", str(tmp_path / "out")]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)  # of this process alone, not the largest so far
    assert status == 0, (tmp_path / "log").read_text()
    ids = read_picture(tmp_path / "out" / "large.png")
    assert ids.shape == (8192, 8192)
    assert ids.max() > 40_000
    unit = 1 if sys.platform == "darwin" else 2**10  # bytes there, KiB on Linux
    assert usage.ru_maxrss * unit < 6 * 2**30


def test_bad_pictures_are_told_of_in_a_line_each_and_the_others_are_done(
    sample: np.ndarray, tmp_path: Path, run_bundle: Callable
) -> None:
    given, out = tmp_path / "in", tmp_path / "out"
    told = write_bad_pictures(given, SAMPLE, channels=3)
    write_picture(given / "good.png", sample[:64, :80])
    done = run_bundle(BUNDLE, "inference", dataset_dir=given, output_dir=out, device="cpu")
    assert_only_the_bad_failed(done, given, out, told, written=["good.json", "good.png", "overlays/good.png"])


def test_resume_leaves_finished_cases_alone_and_makes_missing_ones(sample: np.ndarray, tmp_path: Path) -> None:
    for name, left in (("a", 0), ("b", 100)):
        write_picture(tmp_path / "in" / f"{name}.png", sample[:96, left : left + 100])
    out = find(tmp_path / "in", tmp_path / "out")
    first, expected = read_table(out / "summary.csv"), read_picture(out / "b.png")
    files = ("a.png", "a.json", "overlays/a.png")
    before = [(out / name).stat().st_mtime_ns for name in files]
    (out / "b.png").write_bytes((out / "b.png").read_bytes()[:60])  # spoilt
    find(tmp_path / "in", tmp_path / "out", resume=True)
    assert [(out / name).stat().st_mtime_ns for name in files] == before
    np.testing.assert_array_equal(read_picture(out / "b.png"), expected)
    second = read_table(out / "summary.csv")
    assert [{**row, "seconds": ""} for row in second] == [{**row, "seconds": ""} for row in first]


def test_evaluation_agrees_with_the_maps_that_inference_wrote(tmp_path: Path) -> None:
    maps = find(SAMPLES, tmp_path / "maps")
    scores = json.loads((find(SAMPLES, tmp_path / "scores", config="evaluate") / "metrics.json").read_text())
    names = [path.name for path in sorted((SAMPLES / "images").iterdir())]
    found, reference = (
        [read_picture(folder / name).astype(int) for name in names] for folder in (maps / "images", SAMPLES / "labels")
    )
    pairs = list(zip(found, reference))
    assert scores["cases"] == len(names) == 4
    expected = {
        "ap": np.mean([average_precision(*pair).mean() for pair in pairs]),
        "ap50": np.mean([average_precision(*pair)[0] for pair in pairs]),
        "aji": np.mean([aggregated_jaccard(*pair) for pair in pairs]),
        "pq": np.mean([panoptic_quality(*pair) for pair in pairs]),
    }
    for name, value in expected.items():
        assert scores[name]["mean"] == pytest.approx(value, abs=2e-6), name  # written with six digits
    assert {name: group["cases"] for name, group in scores["by_group"].items()} == {
        "all": 4, "brightfield": 1, "fluorescence": 2, "histology": 1,
    }  # fmt: skip
    assert (tmp_path / "scores" / "worst.png").is_file()


def training_data(folder: Path) -> Path:
    shutil.copytree(SAMPLES, folder)
    for part in ("images", "labels"):
        (folder / part / "brightfield_4217e25d.png").unlink()
    return folder


TINY: dict[str, Any] = {
    "network_def#filters": [8, 8, 8, 8], "network_def#channels": 8, "network_def#repeats": [1, 1, 1, 1],
    "batch_size": 1, "patch_size": [64, 64], "val_interval": 1, "validation_fraction": 0.3, "repeated": {},
}  # fmt: skip


def test_training_resumes_to_the_same_result(tmp_path: Path) -> None:
    data = training_data(tmp_path / "data")
    straight = find(data, tmp_path / "straight", "train", max_epochs=2, **TINY)
    find(data, tmp_path / "halted", "train", max_epochs=1, **TINY, **{"train#lr_scheduler#t_total": 4})
    resumed = find(data, tmp_path / "halted", "train", max_epochs=2, resume=True, **TINY)
    rows = [read_table(out / "metrics.csv") for out in (straight, resumed)]
    assert [len(r) for r in rows] == [2, 2]
    assert rows[0][1]["loss"] == rows[1][1]["loss"]
    for name in ("model.pt", "last.pt", "config.json", "training.png"):
        assert (straight / name).is_file()


def test_the_weights_train_on_with_other_classes_and_what_is_left_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    data = training_data(tmp_path / "data")
    options = {**TINY, "patch_size": [128, 128]}
    for key in [key for key in options if key.startswith("network_def")]:
        del options[key]
    find(data, tmp_path / "out", "train", max_epochs=1, finetune_from="pretrained", class_names=["a", "b"], **options)
    told = capsys.readouterr().out
    assert "left as initialised: box_head.logits.bias, box_head.logits.weight, mask_head.8.bias, mask_head" in told
    assert (tmp_path / "out" / "model.pt").is_file()


def test_without_masks_it_is_faster_rcnn_that_trains_on_and_whose_instances_fill_their_boxes(tmp_path: Path) -> None:
    data = training_data(tmp_path / "data")
    options = {key: value for key, value in TINY.items() if not key.startswith("network_def")}
    boxes_alone: dict[str, Any] = {"network_def#masks": False}
    options |= {"max_epochs": 1, "finetune_from": "pretrained", "learning_rate": 1e-5, **boxes_alone}
    trained = find(data, tmp_path / "trained", "train", **options)
    out = find(SAMPLE, tmp_path / "out", weights=trained / "model.pt", **boxes_alone)
    ids, content = read_picture(out / f"{SAMPLE.stem}.png"), json.loads((out / f"{SAMPLE.stem}.json").read_text())
    filled = [(ids[y1:y2, x1:x2] == row["id"]).all() for row in content["instances"] for x1, y1, x2, y2 in [row["box"]]]
    assert len(filled) == pytest.approx(57, abs=15)  # nuclei of the sample
    assert sum(filled) > len(filled) / 2  # the others give corners to surer ones


@pytest.mark.skipif(not DATA.is_dir(), reason=f"the Data Science Bowl's pictures are not at {DATA}")
@pytest.mark.slow
def test_evaluation_on_the_validation_split_gives_the_figures_of_the_card(tmp_path: Path) -> None:
    out = find(DATA, tmp_path / "out", config="evaluate", part="validation")
    measured = json.loads((out / "metrics.json").read_text())
    stated = json.loads((BUNDLE / "configs" / "metadata.json").read_text())["eval_metrics"]
    assert measured["cases"] == 80  # 15 % of 532
    assert {"ap", "ap50", "aji", "pq"} <= stated.keys()
    for name, value in stated.items():
        # Stated to three digits; processors that round bfloat16 otherwise, or have none, move some borders.
        assert measured[name]["mean"] == pytest.approx(value, abs=5e-3), name
