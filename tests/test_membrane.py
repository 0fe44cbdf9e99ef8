"""The membrane bundle: pictures of every format and size, its figures, and what it refuses."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import imagecodecs
import nibabel as nib
import numpy as np
import pytest
import tifffile
from PIL import Image

from shared.errors import input_error_behind
from shared.files import read_table
from tests.running import run_here, script

ROOT = Path(__file__).parents[1]
BUNDLE = ROOT / "bundles" / "membrane_em_segmentation"
DATA = Path(__file__).parents[2] / "shared" / "data" / "em_membrane"
SAMPLES = BUNDLE / "sample_data"
SAMPLE = SAMPLES / "images" / "phantom_2.png"  # 333 × 517: odd, and not a square


def segment(dataset_dir: Path, output_dir: Path, config: str = "inference", **options: Any) -> Path:
    return run_here(BUNDLE, output_dir, config, dataset_dir=dataset_dir, **options)


def read(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture)


def write(path: Path, array: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.ascontiguousarray(array)).save(path)
    return path


def jaccard(a: np.ndarray, b: np.ndarray) -> float:
    return (a & b).sum() / (a | b).sum()


@pytest.fixture(scope="module")
def phantom() -> ModuleType:
    return script("make_membrane_phantom")


@pytest.fixture(scope="module")
def sample() -> np.ndarray:
    return read(SAMPLE)


def write_in_every_format(folder: Path, gray: np.ndarray) -> list[str]:
    """Write the same shades of gray in every format without loss; returns the names without their endings."""
    deep = gray.astype(np.uint16) * 257  # 0 … 255 to 0 … 65,535
    veil = np.random.default_rng(0).integers(0, 256, gray.shape, dtype=np.uint8)  # alpha says nothing of the cells
    write(folder / "gray.png", gray)
    write(folder / "rgb.png", np.stack([gray] * 3, axis=-1))
    write(folder / "rgba.png", np.stack([gray, gray, gray, veil], axis=-1))
    write(folder / "gray_alpha.png", np.stack([gray, veil], axis=-1))
    (folder / "deep.png").write_bytes(imagecodecs.png_encode(deep))
    (folder / "deep_rgb.png").write_bytes(imagecodecs.png_encode(np.stack([deep] * 3, axis=-1)))
    tifffile.imwrite(folder / "deep_tiff.tif", deep)
    tifffile.imwrite(folder / "float_tiff.tiff", gray / np.float32(255))
    return [path.stem for path in folder.iterdir()]


@pytest.mark.parametrize("size", [(333, 517), (31, 700), (700, 31), (1, 40), (33, 17)])
def test_a_picture_gets_the_same_label_map_of_its_own_size_in_every_format(
    sample: np.ndarray, tmp_path: Path, size: tuple[int, int]
) -> None:
    gray = np.pad(sample, 400, mode="reflect")[400 : 400 + size[0], 400 : 400 + size[1]]
    formats = write_in_every_format(tmp_path / "in", gray)
    assert len(formats) == 8
    out = segment(tmp_path / "in", tmp_path / "out")
    expected = read(out / "gray.png")
    assert (expected.shape, expected.dtype) == (size, np.uint8)
    assert set(np.unique(expected)) <= {0, 1}
    for name in formats:
        given = read(out / f"{name}.png")
        assert given.shape == size, name
        # Scaled by its percentiles, each is the same picture but for the last bits of float32: of the network's two
        # logits, differing by some units, only equal ones to 5 digits could change places.
        assert (given != expected).mean() < 1e-3, name


def test_the_label_map_lies_on_its_picture_and_not_on_its_mirror_image(tmp_path: Path) -> None:
    given = read(segment(SAMPLE, tmp_path / "out") / "phantom_2.png") == 0
    membrane = read(SAMPLES / "labels" / "phantom_2.png") == 0
    # A quarter of the picture is membrane: of two such that have nothing in common, chance alone makes the Jaccard
    # index 0.25² / (2 · 0.25 - 0.25²) = 0.14.
    turned = [membrane[::-1], membrane[:, ::-1], membrane[::-1, ::-1]]
    assert max(jaccard(given, other) for other in turned) < 0.25
    assert jaccard(given, membrane) > 0.5


def test_intensities_of_any_scale_give_the_same_label_map(sample: np.ndarray, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name, scale, offset in (("plain", 1, 0), ("large", 3e4, -1e5), ("small", 1e-4, 1e-3)):
        tifffile.imwrite(tmp_path / "in" / f"{name}.tif", (sample * scale + offset).astype(np.float32))
    out = segment(tmp_path / "in", tmp_path / "out")
    plain, large, small = (read(out / f"{name}.png") for name in ("plain", "large", "small"))
    # Float32 rounding may turn a pixel on the border between classes.
    assert (plain != large).mean() < 1e-3
    assert (plain != small).mean() < 1e-3


def test_the_sizes_told_of_the_classes_are_those_of_the_label_map(tmp_path: Path) -> None:
    out = segment(SAMPLE, tmp_path / "out")
    labels = read(out / "phantom_2.png")
    (row,) = read_table(out / "summary.csv")
    assert int(row["membrane_px"]) == (labels == 0).sum()
    assert int(row["inside_px"]) == (labels == 1).sum()
    assert (out / "overlays" / "phantom_2.png").is_file()


def near_tile_borders(shape: tuple[int, int], roi: int, step: int, width: int = 4) -> np.ndarray:
    """Where a pixel is within `width` of the border of a tile; tiles begin at 0, step, … and at the last place."""
    near = np.zeros(shape, dtype=bool)
    for axis, size in enumerate(shape):
        for start in {*range(0, size - roi, step), size - roi}:
            for edge in {start, start + roi} - {0, size}:
                np.moveaxis(near, axis, 0)[edge - width : edge + width] = True
    return near


def test_tiles_of_a_large_picture_leave_no_seams(phantom: ModuleType, tmp_path: Path) -> None:
    image, _ = phantom.draw_phantom(np.random.default_rng(1), (700, 900))
    picture = write(tmp_path / "a.png", image)
    whole = read(segment(picture, tmp_path / "whole", roi_size=[1024, 1024]) / "a.png")

    def disagreement(overlap: float) -> tuple[float, float]:
        """With the whole: the share of pixels near the tiles' borders, and elsewhere."""
        tiled = read(segment(picture, tmp_path / f"{overlap}", roi_size=[256, 256], overlap=overlap) / "a.png")
        near = near_tile_borders(whole.shape, 256, round(256 * (1 - overlap)))
        return float((tiled != whole)[near].mean()), float((tiled != whole)[~near].mean())

    # Measured: 0.18 % of the pixels within 4 of a border, 0.09 % of the others, a factor of 2, which is left where
    # tiles see less around them. Side by side without overlap, tiles differ on 1.5 % near their borders and on 0.14 %
    # elsewhere, a factor of 11: these are seams, and the measure sees them.
    border, elsewhere = disagreement(0.25)
    assert max(border, elsewhere) < 0.01
    assert border < 4 * elsewhere
    bare_border, bare_elsewhere = disagreement(0.0)
    assert bare_border > 4 * bare_elsewhere


@pytest.mark.slow
def test_a_picture_of_4096_pixels_is_segmented_in_bounded_memory(tmp_path: Path) -> None:
    tile = read(SAMPLES / "images" / "phantom_0.png")
    assert tile.shape == (512, 512)
    picture = write(tmp_path / "large.png", np.tile(tile, (8, 8)))
    command = [sys.executable, "-W", "ignore", "-m", "monai.bundle", "run", "--device", "cpu"]
    command += ["--config_file", str(BUNDLE / "configs" / "inference.json")]
    command += ["--dataset_dir", str(picture), "--output_dir", str(tmp_path / "out")]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)  # of this process alone, not the largest so far
    assert status == 0, (tmp_path / "log").read_text()
    assert read(tmp_path / "out" / "large.png").shape == (4096, 4096)
    # Measured: 1.07 GiB, of which one tile of 512² needs 0.78 GiB too: Python, torch and the network's features. The
    # rest are some maps of the picture's size, of 64 MiB each. In one piece a single layer's 16 features, at 1 GiB,
    # would go beyond the limit together with their input.
    unit = 1 if sys.platform == "darwin" else 2**10  # bytes there, KiB on Linux
    assert usage.ru_maxrss * unit < 2 * 2**30


@pytest.mark.parametrize("turn", [np.transpose, np.rot90, np.flipud], ids=["transposed", "rotated", "flipped"])
def test_with_test_time_augmentation_a_turned_picture_gets_the_turned_label_map(
    sample: np.ndarray, tmp_path: Path, turn: Callable[[np.ndarray], np.ndarray]
) -> None:
    straight = sample[:150, :211]
    write(tmp_path / "in" / "straight.png", straight)
    write(tmp_path / "in" / "turned.png", turn(straight))

    def error(augmented: bool) -> float:
        options: dict[str, Any] = {
            "test_time_augmentation": augmented,
            "label_offset": [0.0, 0.0],
        }  # an offset has a direction
        out = segment(tmp_path / "in", tmp_path / f"{augmented}", **options)
        return float((read(out / "turned.png") != turn(read(out / "straight.png"))).mean())

    # The same eight views in another order, of which float32 rounds the mean differently: a pixel may change at most
    # where the classes are equal to 6 digits. Without, the network sees another picture, and 1 to 2 % of pixels change.
    assert error(True) < 1e-3
    assert error(False) > 2e-3


def test_the_label_map_is_moved_by_the_offset_of_the_labels(sample: np.ndarray, tmp_path: Path) -> None:
    write(tmp_path / "in" / "a.png", sample[:150, :211])
    straight, moved = (
        read(segment(tmp_path / "in", tmp_path / f"{offset[0]}", label_offset=offset) / "a.png")
        for offset in ([0.0, 0.0], [-2.0, 3.0])
    )
    np.testing.assert_array_equal(moved[:-2, 3:], straight[2:, :-3])  # two rows up, three columns to the right


def bad_cases(folder: Path, sample: np.ndarray) -> dict[str, str]:
    """Write one of each bad input; name of the file -> what its message must say."""
    folder.mkdir()
    whole = SAMPLE.read_bytes()
    (folder / "truncated.png").write_bytes(whole[: len(whole) // 2])
    (folder / "empty_file.png").write_bytes(b"")
    (folder / "text.tif").write_text("not an image")
    write(folder / "constant.png", np.full_like(sample, 7))
    with_nan = sample.astype(np.float32)
    with_nan[3, 4] = np.nan
    tifffile.imwrite(folder / "nan.tif", with_nan)
    tifffile.imwrite(folder / "pages.tif", np.stack([sample] * 3), photometric="minisblack")
    volume = np.random.default_rng(0).uniform(size=(9, 8, 7)).astype(np.float32)
    nib.save(nib.Nifti1Image(volume, np.eye(4)), folder / "volume.nii.gz")
    return {
        "truncated.png": "expected a PNG, JPEG or TIFF image that can be read",
        "empty_file.png": "expected a PNG, JPEG or TIFF image that can be read",
        "text.tif": "expected a PNG, JPEG or TIFF image that can be read",
        "constant.png": "got 7 everywhere",
        "nan.tif": "got 1 NaN or Inf",
        "pages.tif": "expected 2 dimensions, got 3",
        "volume.nii.gz": "expected 2 dimensions, got 3 (9, 8, 7)",
    }


def test_bad_pictures_are_told_of_in_a_line_each_and_the_others_are_done(
    sample: np.ndarray, tmp_path: Path, run_bundle: Callable
) -> None:
    told = bad_cases(tmp_path / "in", sample)
    write(tmp_path / "in" / "good.png", sample[:64, :80])
    done = run_bundle(BUNDLE, "inference", dataset_dir=tmp_path / "in", output_dir=tmp_path / "out", device="cpu")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith(f"error: {tmp_path / 'out' / 'summary.csv'}: expected every case")
    rows = {row["case"]: row for row in read_table(tmp_path / "out" / "summary.csv")}
    assert rows.keys() == {*(name.split(".")[0] for name in told), "good"}
    assert rows["good"]["status"] == "ok"
    assert sorted(p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*.*")) == [
        "good.png", "overlays/good.png", "summary.csv",
    ]  # fmt: skip
    for name, words in told.items():
        row = rows[name.split(".")[0]]
        assert row["status"] == "failed"
        assert row["message"].startswith(f"{tmp_path / 'in' / name}: ")
        assert words in row["message"], row["message"]
        assert "\n" not in row["message"]
        assert row["message"] in done.stdout


def test_labels_of_other_values_or_another_size_fail_their_case_alone(
    sample: np.ndarray, tmp_path: Path, run_bundle: Callable
) -> None:
    labels = read(SAMPLES / "labels" / "phantom_2.png")[:64, :80]
    strange = labels.copy()
    strange[5, 6] = 7
    stored = {"ids": labels // 255, "values": labels, "strange": strange, "transposed": labels.T}
    for name, array in stored.items():
        write(tmp_path / "in" / "images" / f"{name}.png", sample[:64, :80])
        write(tmp_path / "in" / "labels" / f"{name}.png", array)
    done = run_bundle(BUNDLE, "evaluate", dataset_dir=tmp_path / "in", output_dir=tmp_path / "out", device="cpu")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "got 2 of 4 failed" in done.stderr.splitlines()[-1]
    rows = {row["case"].removeprefix("images/"): row for row in read_table(tmp_path / "out" / "metrics.csv")}
    told = {"strange": "class ids 0 to 1, or the values [0, 255], got 7", "transposed": "(64, 80), got (80, 64)"}
    for name, words in told.items():
        assert rows[name]["message"].startswith(f"{tmp_path / 'in' / 'labels' / name}.png: ")
        assert words in rows[name]["message"]
        assert "\n" not in rows[name]["message"]
    assert [rows[name]["status"] for name in ("ids", "values")] == ["ok", "ok"]
    # The one reference as 0 and 1, and as 0 and 255.
    assert rows["ids"]["jaccard_membrane"] == rows["values"]["jaccard_membrane"]


def test_a_picture_without_a_label_stops_an_evaluation_with_a_line(tmp_path: Path, run_bundle: Callable) -> None:
    shutil.copytree(SAMPLES, tmp_path / "in")
    (tmp_path / "in" / "labels" / "phantom_1.png").unlink()
    done = run_bundle(BUNDLE, "evaluate", dataset_dir=tmp_path / "in", output_dir=tmp_path / "out", device="cpu")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"error: {tmp_path / 'in' / 'images' / 'phantom_1.png'}: expected a label named phantom_1.*")


def test_resume_leaves_finished_cases_alone_and_makes_missing_ones(sample: np.ndarray, tmp_path: Path) -> None:
    for name, left in (("a", 0), ("b", 100)):
        write(tmp_path / "in" / f"{name}.png", sample[:64, left : left + 80])
    out = segment(tmp_path / "in", tmp_path / "out")
    first, expected = read_table(out / "summary.csv"), read(out / "b.png")
    before = [(out / name).stat().st_mtime_ns for name in ("a.png", "overlays/a.png")]
    (out / "b.png").write_bytes((out / "b.png").read_bytes()[:60])  # spoilt
    segment(tmp_path / "in", tmp_path / "out", resume=True)
    assert [(out / name).stat().st_mtime_ns for name in ("a.png", "overlays/a.png")] == before
    np.testing.assert_array_equal(read(out / "b.png"), expected)
    second = read_table(out / "summary.csv")
    assert [{**row, "seconds": ""} for row in second] == [{**row, "seconds": ""} for row in first]
    assert second[0]["seconds"] == first[0]["seconds"]


def test_a_failing_case_leaves_its_former_result_alone(sample: np.ndarray, tmp_path: Path) -> None:
    path = write(tmp_path / "in" / "a.png", sample[:64, :80])
    out = segment(tmp_path / "in", tmp_path / "out")
    before = (out / "a.png").read_bytes()
    path.write_bytes(b"broken")
    with pytest.raises(RuntimeError) as raised:
        segment(tmp_path / "in", tmp_path / "out")
    assert "1 of 1 failed" in str(input_error_behind(raised.value))
    assert (out / "a.png").read_bytes() == before


def test_evaluation_agrees_with_numpy_on_the_label_maps_that_inference_wrote(tmp_path: Path) -> None:
    maps = segment(SAMPLES, tmp_path / "maps")
    scores = json.loads((segment(SAMPLES, tmp_path / "scores", config="evaluate") / "metrics.json").read_text())
    names = [path.name for path in sorted((SAMPLES / "images").iterdir())]
    assert scores["cases"] == len(names) == 3
    means = []
    for value, name in ((0, "membrane"), (1, "inside")):
        values = [
            jaccard(read(maps / "images" / case) == value, read(SAMPLES / "labels" / case) == 255 * value)
            for case in names
        ]
        means.append(np.mean(values))
        # Written with six digits, computed in float32.
        assert scores[f"jaccard_{name}"]["mean"] == pytest.approx(means[-1], abs=2e-6)
        assert scores[f"jaccard_{name}"]["min"] == pytest.approx(min(values), abs=2e-6)
        assert scores[f"jaccard_{name}"]["count"] == 3
    assert scores["jaccard_mean"]["mean"] == pytest.approx(np.mean(means), abs=2e-6)
    assert scores["hd95_px_inside"]["mean"] > 0


def test_the_script_draws_the_sample_data_again(
    phantom: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["make_membrane_phantom.py", str(tmp_path)])
    phantom.main()
    drawn = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.png")}
    assert drawn == {path.relative_to(SAMPLES).as_posix() for path in SAMPLES.rglob("*.png")}
    assert len(drawn) == 6
    for name in drawn:
        given, expected = read(tmp_path / name).astype(int), read(SAMPLES / name).astype(int)
        assert given.shape == expected.shape
        # The pixels, not the bytes, which are zlib's; and but for a few on which processors whose exponential differs
        # in the last of 53 bits could round to either of two shades.
        assert (given != expected).mean() < 1e-4, name
        if name.startswith("images"):
            assert abs(given - expected).max() <= 1, name


@pytest.mark.skipif(not DATA.is_dir(), reason=f"the ISBI 2012 challenge's pictures are not at {DATA}")
def test_evaluation_on_the_validation_split_gives_the_figures_of_the_card(tmp_path: Path) -> None:
    out = segment(DATA, tmp_path / "out", config="evaluate", part="validation")
    measured = json.loads((out / "metrics.json").read_text())
    stated = json.loads((BUNDLE / "configs" / "metadata.json").read_text())["eval_metrics"]
    assert measured["cases"] == 4  # 15 % of 24
    assert {"jaccard_mean", "jaccard_membrane", "jaccard_inside"} <= stated.keys()
    for name, value in stated.items():
        # Stated to three digits; other processors may turn a few pixels.
        assert measured[name]["mean"] == pytest.approx(value, abs=2e-3), name
