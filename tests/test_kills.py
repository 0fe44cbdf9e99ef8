"""Runs that are killed at any moment leave no half file, and the next one with --resume ends well."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from PIL import Image

from shared.files import read_table
from tests.faults.outcomes import BUNDLES
from tests.running import ROOT, environment_of
from tests.small import small_data, small_training

pytestmark = pytest.mark.slow

KILLS = 14  # a run, of which there are three
# Run a config once to its end, and again and again until a random part of the time that this took is over, each time in
# a child of this process, which has imported everything: so kills fall on starting, reading, computing and writing.
KILLER = """
import json, os, random, shutil, signal, sys, time
from pathlib import Path
from tests.running import run_here

bundle, whole, out, config, options, kills = json.loads(sys.argv[1])
moments = random.Random(0)

def started(folder, **more):
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        run_here(Path(bundle), Path(folder), config, **options, **more)
        code = 0
    finally:
        os._exit(code)

begun = time.perf_counter()
assert os.waitpid(started(whole), 0)[1] == 0
length = time.perf_counter() - begun
while kills:
    child = started(out, resume=True)
    time.sleep(moments.uniform(0, length))
    os.kill(child, signal.SIGKILL)
    if os.WIFSIGNALED(os.waitpid(child, 0)[1]):
        kills -= 1
        print("killed", flush=True)
        assert sys.stdin.readline()  # the test has looked at what there is
    else:  # it had ended before
        shutil.rmtree(out)
assert os.waitpid(started(out, resume=True), 0)[1] == 0
"""


def check_whole(folder: Path) -> None:
    """Read to its end every file that bears its final name; temporary ones, which begin with a dot, may be left."""
    for path in folder.rglob("*"):
        if path.is_file() and not path.name.startswith("."):
            check_file(path)


def check_file(path: Path) -> None:
    if path.suffix == ".png":
        with Image.open(path) as picture:
            picture.load()
    elif path.suffix == ".json":
        json.loads(path.read_text(encoding="utf-8"))
    elif path.suffix == ".csv":
        rows = read_table(path)
        assert rows
        assert all(None not in row and None not in row.values() for row in rows), path
    elif path.name.endswith(".nii.gz"):
        np.asarray(nib.Nifti1Image.from_filename(path).dataobj)
    elif path.suffix == ".pt":
        torch.load(path, weights_only=True)


def kill_again_and_again(bundle: str, config: str, folder: Path, **options: Any) -> tuple[Path, Path]:
    """Kill runs of a config that follow each other, looking at the results each time; gives a whole run's, and these.

    The last one is not killed. Raises AssertionError where a file is half, or that one does not end well.
    """
    texts = {name: str(value) if isinstance(value, Path) else value for name, value in options.items()}
    whole, out = folder / "whole", folder / "killed"
    job = json.dumps([str(BUNDLES[bundle]), str(whole), str(out), config, texts, KILLS])
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", KILLER, job], cwd=ROOT, env=environment_of(), text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        looked = 0
        for line in process.stdout:
            if line == "killed\n":
                check_whole(out)
                looked += 1
                process.stdin.write("go on\n")
                process.stdin.flush()
        assert process.stderr is not None
        errors = process.stderr.read()
    assert process.returncode == 0, errors
    assert looked == KILLS
    check_whole(out)
    return whole, out


def names_in(folder: Path) -> set[str]:
    """What a run has written, TensorBoard's files aside, which bear the time."""
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith((".", "events."))
    }


@pytest.mark.parametrize(
    ("bundle", "count"), [("blood_cell_yolo_detection", 6), ("hippocampus_mr_voxelmorph_registration", 2)]
)
def test_inference_goes_on_after_kills_and_does_every_case(bundle: str, count: int, tmp_path: Path) -> None:
    data, samples = tmp_path / "data", BUNDLES[bundle] / "sample_data"
    if bundle.endswith("_registration"):
        shutil.copytree(samples, data)
        pair = read_table(samples / "pairs.csv")[0]
        lines = [f"{number},{pair['moving']},{pair['fixed']}" for number in range(count)]
        (data / "pairs.csv").write_text("\n".join(["id,moving,fixed", *lines]))
    else:
        data.mkdir()
        for number in range(count):
            shutil.copy(samples / "JPEGImages" / "BloodImage_00099.jpg", data / f"{number}.jpg")
    whole, out = kill_again_and_again(bundle, "inference", tmp_path, dataset_dir=data)
    assert names_in(out) == names_in(whole)
    rows = read_table(out / "summary.csv")
    assert [row["status"] for row in rows] == ["ok"] * count


def test_training_goes_on_after_kills_to_the_same_result(
    tmp_path: Path, phantom_dataset: Callable[..., Path], boxed_dataset: Callable[..., Path]
) -> None:
    bundle = "hippocampus_mr_segmentation"
    data = small_data(BUNDLES[bundle], tmp_path / "data", phantom_dataset, boxed_dataset)
    options = {"dataset_dir": data, "max_epochs": 8, **small_training(BUNDLES[bundle])}
    whole, out = kill_again_and_again(bundle, "train", tmp_path, **options)
    assert names_in(out) == names_in(whole)
    timeless = [
        [{key: value for key, value in row.items() if key != "seconds"} for row in read_table(folder / "metrics.csv")]
        for folder in (whole, out)
    ]
    assert timeless[0] == timeless[1]
