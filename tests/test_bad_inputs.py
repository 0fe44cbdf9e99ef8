"""Hundreds of inputs that are wrong, made from a seed: no run ends in a traceback, and no case is lost."""

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.files import read_table
from tests.faults.annotations import bad_boxes, bad_json, bad_outlines
from tests.faults.options import bad_options, bad_overlays, bad_pairs, bad_weights, written
from tests.faults.outcomes import BUNDLES, check_rows, lost_entries, outcome, table_of
from tests.faults.pictures import bad_pictures, damaged_pictures
from tests.faults.places import NAMES, write_odd_entries
from tests.faults.volumes import bad_volumes, damaged_volumes, nifti
from tests.running import assert_ended_with_a_line, read_picture, write_picture
from tests.small import config_of, small_data, small_training

pytestmark = pytest.mark.slow

SEED = 0
DAMAGED = 40  # files with bits turned over, a bundle
FEW = 8  # of what takes a run each
CELLS, NUCLEI = "blood_cell_yolo_detection", "nuclei_maskrcnn_instance_segmentation"
PICTURES = {
    CELLS: "JPEGImages/BloodImage_00099.jpg",
    "membrane_em_segmentation": "images/phantom_1.png",
    NUCLEI: "images/fluorescence_0bf4b144.png",
}
VOLUMES = "hippocampus_mr_segmentation"
REGISTRATIONS = [name for name in BUNDLES if name.endswith("_registration")]
each_bundle = pytest.mark.parametrize("bundle", BUNDLES)


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """One of its own for each test, whichever else run."""
    return np.random.default_rng([SEED, *request.node.name.encode()])


@pytest.fixture
def small(
    tmp_path: Path, phantom_dataset: Callable[..., Path], boxed_dataset: Callable[..., Path]
) -> Callable[[str, str], dict[str, Any]]:
    """Options with which a bundle's config runs on a small data set of its own."""

    def options(bundle: str, config: str) -> dict[str, Any]:
        data = tmp_path / "small"
        if not data.exists():
            small_data(BUNDLES[bundle], data, phantom_dataset, boxed_dataset)
        if config == "train":
            return {"dataset_dir": data, "max_epochs": 1, **small_training(BUNDLES[bundle])}
        if config == "inference" and bundle in REGISTRATIONS:
            return dict(zip(("moving", "fixed"), sorted(data.glob("images*/*"))))
        return {"dataset_dir": data}

    return options


def test_there_are_more_than_a_thousand(rng: np.random.Generator) -> None:
    picture = np.zeros((8, 8, 3), np.uint8)
    files = [len([*bad_pictures(picture, rng)]) + DAMAGED for _ in PICTURES] + [4 * len([*bad_volumes(rng)]) + DAMAGED]
    annotations = [len([*bad_boxes("x")]), len([*bad_outlines()]), 6 * len([*bad_json()])]
    tables = [len(REGISTRATIONS) * len([*bad_pairs("m", "f")])]
    assert sum(files + annotations + tables) + len(BUNDLES) * (3 * FEW + len([*bad_overlays()])) > 1000


def check_batch(
    bundle: str, folder: Path, bad: Iterable[tuple[str, bytes]], damaged: Iterable[tuple[str, bytes]]
) -> None:
    """Run `bundle` on files beside good.*: each of the `bad` is a failed row, each of the `damaged` a row."""
    must_fail = set()
    for name, content in bad:
        written(folder / name, content)
        must_fail.add(name.rpartition(".")[0].removesuffix(".nii"))
    for name, content in damaged:
        written(folder / name, content)
    assert "failed" in outcome(bundle, folder.parent / "out", dataset_dir=folder)
    rows = table_of(folder.parent / "out")
    check_rows(rows)
    assert lost_entries(folder, rows) == []
    status = {row["case"]: row["status"] for row in rows}
    assert status["good"] == "ok"
    assert {name for name in must_fail if status[name] != "failed"} == set()


@pytest.mark.parametrize("bundle", PICTURES)
def test_every_bad_picture_is_a_failed_row_and_the_good_one_is_done(
    bundle: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    good = read_picture(BUNDLES[bundle] / "sample_data" / PICTURES[bundle])[:60, :80]
    write_picture(tmp_path / "in" / "good.png", good)
    check_batch(bundle, tmp_path / "in", bad_pictures(good, rng), damaged_pictures(good, rng, DAMAGED))


def test_every_bad_volume_is_a_failed_row_and_the_good_one_is_done(tmp_path: Path, rng: np.random.Generator) -> None:
    written(tmp_path / "in" / "good.nii", nifti(rng.normal(100, 10, (20, 24, 18)).astype(np.float32)))
    check_batch(VOLUMES, tmp_path / "in", bad_volumes(rng), damaged_volumes(rng, DAMAGED))


@pytest.mark.parametrize("role", ["moving", "fixed", "fixed_label"])
def test_every_bad_volume_fails_its_pair_alone(role: str, tmp_path: Path, rng: np.random.Generator) -> None:
    image = nifti(rng.normal(100, 10, (20, 24, 18)).astype(np.float32))
    label = nifti(rng.integers(0, 3, (20, 24, 18), dtype=np.uint8))
    names = dict(zip(("moving", "fixed", "moving_label", "fixed_label"), ("m.nii", "f.nii", "l.nii", "k.nii")))
    for name in names.values():
        written(tmp_path / "in" / name, label if name in ("l.nii", "k.nii") else image)
    bad = [*bad_volumes(rng)]
    lines = [",".join(["id", *names]), ",".join(["good", *names.values()])]
    for name, content in bad:
        written(tmp_path / "in" / "bad" / name, content)
        lines.append(",".join([name, *{**names, role: f"bad/{name}"}.values()]))
    written(tmp_path / "in" / "pairs.csv", "\n".join(lines))
    bundle = "hippocampus_mr_voxelmorph_registration"
    assert "failed" in outcome(bundle, tmp_path / "out", dataset_dir=tmp_path / "in", pictures=False)
    rows = table_of(tmp_path / "out")
    check_rows(rows)
    assert [row["case"] for row in rows] == ["good", *(name for name, _ in bad)]
    assert rows[0]["status"] == "ok"


@pytest.mark.parametrize("bundle", [CELLS, VOLUMES])
def test_good_files_of_any_name_are_done_among_links_and_pipes(
    bundle: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    folder = tmp_path / "in"
    if bundle == VOLUMES:
        good = written(folder / "good.nii", nifti(rng.normal(100, 10, (9, 8, 7)).astype(np.float32)))
    else:
        good = write_picture(folder / "good.png", rng.integers(0, 256, (20, 30, 3), dtype=np.uint8))
    names = [*NAMES, "\udcff"]  # the last one is of bytes that are no UTF-8
    for name in names:
        path = folder / f"{name}{good.suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(good, path)
    write_odd_entries(folder, good)
    assert outcome(bundle, tmp_path / "out", dataset_dir=folder) == ""
    rows = table_of(tmp_path / "out")
    check_rows(rows)
    assert lost_entries(folder, rows) == []
    assert len(rows) == len(names) + 1
    assert outcome(bundle, tmp_path / "out", dataset_dir=folder, resume=True) == ""
    assert {row["seconds"] for row in table_of(tmp_path / "out")} == {row["seconds"] for row in rows}


# Of which pictures train, evaluation of all of them need not know.
SPLITS = ("voc, lists unknown images", "voc, a list in no encoding", "yolo, data.yaml: a path outside")


@pytest.mark.parametrize("bundle", [CELLS, NUCLEI])
def test_bad_annotations_are_refused_in_a_line(bundle: str, tmp_path: Path, rng: np.random.Generator) -> None:
    sets = [*(bad_boxes("RBC") if bundle == CELLS else bad_outlines())]
    for file in ("coco.json", "instances_x.json", "a.json"):
        sets += [(f"{kind} in {file}", {file: content}) for kind, content in bad_json()]
    picture = rng.integers(0, 256, (60, 80, 3), dtype=np.uint8)
    accepted = []
    for number, (name, files) in enumerate(sets):
        folder, config = tmp_path / str(number) / "in", ("evaluate", "train")[number % 2]
        write_picture(folder / next((path for path in files if path.endswith("a.png")), "a.png"), picture)
        for path, content in files.items():
            if content != "COPY":
                written(folder / path, content)
        options = {"max_epochs": 1} if config == "train" else {}
        if not outcome(bundle, folder.parent / "out", config, dataset_dir=folder, **options):
            accepted.append(name)
        check_rows(read_table(folder.parent / "out" / "metrics.csv") if config == "evaluate" else [])
    assert [name for name in accepted if name not in SPLITS] == []


def bad_labels(bundle: str, rng: np.random.Generator) -> dict[str, bytes]:
    """Label maps for small images that must fail, by name."""
    if bundle == VOLUMES:
        shape = (20, 24, 18)
        bad = {name: content for name, content in bad_volumes(rng) if name.endswith(".nii")}
        bad |= {"ids.nii": nifti(np.full(shape, 77, np.uint8)), "moved.nii": nifti(np.zeros(shape), 2 * np.eye(4))}
        bad |= {"halves.nii": nifti(np.full(shape, 0.5)), "large.nii": nifti(np.full(shape, 2**31 - 1, np.int32))}
        return bad | {"negative_ids.nii": nifti(np.full(shape, -1, np.int16))}
    bad = dict(bad_pictures(rng.integers(0, 2, (20, 24), dtype=np.uint8), rng))
    return {name: content for name, content in bad.items() if name not in ("constant.png", "black.jpg")}


@pytest.mark.parametrize("bundle", ["membrane_em_segmentation", VOLUMES, NUCLEI])
def test_every_bad_label_is_a_failed_row_and_the_good_ones_are_done(
    bundle: str, tmp_path: Path, rng: np.random.Generator, small: Callable
) -> None:
    data = small(bundle, "evaluate")["dataset_dir"]
    images, labels = sorted(data.glob("*"))
    image = next(images.iterdir())
    bad = bad_labels(bundle, rng)
    for name, content in bad.items():
        stem = Path(name).stem
        shutil.copy(image, images / f"{stem}{''.join(image.suffixes)}")
        written(labels / name, content)
    assert f"{len(bad)} of {len(bad) + 5} failed" in outcome(bundle, tmp_path / "out", "evaluate", dataset_dir=data)
    rows = read_table(tmp_path / "out" / "metrics.csv")
    check_rows(rows)
    assert len(rows) == len(bad) + 5


@pytest.mark.parametrize("bundle", ["membrane_em_segmentation", VOLUMES, NUCLEI])
def test_training_with_a_bad_label_ends_in_a_line(
    bundle: str, tmp_path: Path, rng: np.random.Generator, small: Callable
) -> None:
    options = small(bundle, "train")
    label = sorted(options["dataset_dir"].glob("labels*/*"))[0]
    bad = sorted(bad_labels(bundle, rng).items())
    for number in rng.permutation(len(bad))[:FEW]:
        label.write_bytes(bad[number][1])
        line = outcome(bundle, tmp_path / f"out_{number}", "train", **options)
        assert line.startswith(f"{label}: "), bad[number][0]


@pytest.mark.parametrize("bundle", REGISTRATIONS)
def test_bad_tables_of_pairs_end_in_a_line_or_in_rows(bundle: str, tmp_path: Path) -> None:
    samples = BUNDLES[bundle] / "sample_data"
    pair = read_table(samples / "pairs.csv")[0]
    shutil.copytree(samples, tmp_path / "in")
    right = []
    for number, (name, content) in enumerate(bad_pairs(pair["moving"], pair["fixed"])):
        written(tmp_path / "in" / "pairs.csv", content)
        out = tmp_path / f"out_{number}"
        if not outcome(bundle, out, dataset_dir=tmp_path / "in", pictures=False):
            right.append(name)
        check_rows(table_of(out))
    # Columns that are not known count for nothing; ids with a line's end are ids; these encodings are UTF-8's kin.
    assert right == ["a long row", "id '\"a\\nb\"'", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"]


@each_bundle
@pytest.mark.parametrize("config", ["inference", "evaluate", "train"])
def test_options_that_no_run_can_mean_are_refused_in_a_line(
    bundle: str, config: str, tmp_path: Path, rng: np.random.Generator, small: Callable
) -> None:
    options = small(bundle, config)
    every = [*bad_options(config_of(BUNDLES[bundle], config))]
    for number in rng.permutation(len(every))[:FEW]:
        name, value = every[number]
        out = tmp_path / f"out_{number}"
        outcome(bundle, out, config, **{**options, name: value})
        for table in ("summary.csv", "metrics.csv"):
            check_rows([row for row in read_table(out / table) if "status" in row])


@each_bundle
def test_bad_weights_are_refused_in_a_line_and_run_no_code(
    bundle: str, tmp_path: Path, rng: np.random.Generator, small: Callable
) -> None:
    good = (BUNDLES[bundle] / "models" / "model.pt").read_bytes()
    for name, content in bad_weights(good, rng):
        weights = written(tmp_path / "weights.pt", content)
        line = outcome(bundle, tmp_path / "out", weights=weights, **small(bundle, "inference"))
        assert line.startswith(f"{weights}: "), name
        if name not in PARTLY_RIGHT:
            options = {**small(bundle, "train"), "finetune_from": weights}
            options = {key: value for key, value in options.items() if not key.startswith("network_def")}
            assert outcome(bundle, tmp_path / "training", "train", **options), name


PARTLY_RIGHT = ("a tensor too few", "a tensor of another shape")  # which is what fine-tuning is for


@each_bundle
def test_overlays_that_no_run_can_mean_are_refused_in_a_line(bundle: str, tmp_path: Path, small: Callable) -> None:
    for number, (name, content) in enumerate(bad_overlays()):
        overlay = written(tmp_path / f"{number}.json", content)
        config = ("inference", "evaluate", "train")[number % 3]
        options = {key: value for key, value in small(bundle, config).items() if not key.startswith("network_def")}
        assert outcome(bundle, tmp_path / "out", config, overlay=overlay, **options), name


def test_commands_end_with_one_line_and_exit_code_1(tmp_path: Path, run_bundle: Callable) -> None:
    """Ten of the above as a user types them."""
    folder = tmp_path / "in"
    write_picture(folder / "a.png", np.zeros((20, 30, 3), np.uint8))
    written(folder / "coco.json", "[" * 100_000)
    written(tmp_path / "pairs" / "pairs.csv", "moving;fixed\na;b\n")
    written(tmp_path / "weights.pt", b"x")
    for bundle, config, options, words in (
        (CELLS, "inference", {"dataset_dir": folder}, "1 of 1 failed"),
        (CELLS, "inference", {"dataset_dir": "x" * 300}, "File name too long"),
        (CELLS, "evaluate", {"dataset_dir": folder}, "coco.json: expected JSON"),
        (CELLS, "train", {"dataset_dir": folder, "seed": 10**30}, "--seed: expected a number"),
        (NUCLEI, "train", {"dataset_dir": folder}, "coco.json: expected JSON"),
        (NUCLEI, "inference", {"weights": tmp_path / "weights.pt"}, "weights.pt: expected a state dict"),
        (VOLUMES, "evaluate", {"roi_size": "[1, x]"}, "--roi_size: expected a value like"),
        (REGISTRATIONS[0], "inference", {"dataset_dir": tmp_path / "pairs"}, "pairs.csv: expected the columns"),
        (REGISTRATIONS[1], "inference", {"moving": "a", "fixed": "b"}, "1 of 1 failed"),
        ("membrane_em_segmentation", "inference", {"datset_dir": folder}, "--datset_dir: expected an option"),
    ):  # fmt: skip
        done = run_bundle(BUNDLES[bundle], config, output_dir=tmp_path / "out", device="cpu", **options)
        assert_ended_with_a_line(done, words)
