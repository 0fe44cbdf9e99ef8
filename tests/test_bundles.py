"""Every bundle is of one shape, says what it does, and runs from anywhere."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import create_workflow
from PIL import Image

from shared.files import read_table
from shared.zoo import probe
from tests.running import assert_same_results, in_processes, refused_here, run_here, train_in_group
from tests.small import small_data, small_training

ROOT = Path(__file__).parents[1]
BUNDLES = sorted(path for path in (ROOT / "bundles").iterdir() if path.is_dir())


OPTIMISING = {"brain_mr_nodeo_registration"}  # its network_def is a method, and a trained network only its start
INSTANCES = {bundle.name for bundle in BUNDLES if bundle.name.endswith("_instance_segmentation")}  # several outputs


def each(ending: str, without: Collection[str] = OPTIMISING) -> pytest.MarkDecorator:
    chosen = [bundle for bundle in BUNDLES if bundle.name.endswith(ending) and bundle.name not in without]
    return pytest.mark.parametrize("bundle", chosen, ids=[bundle.name for bundle in chosen])


each_bundle, each_network = each("", without=()), each("")
# Of bundles that are alike one where tests are to be quick, the others in `make test-slow`.
BY_TORCHRUN = "blood_cell_yolo_detection"
HEADS = "brain_anycontrast_segmentation"
TWINS = {
    "hippocampus_mr_segmentation", "hippocampus_mr_voxelmorph_registration", "brain_mr_nodeo_registration",
    "brain_anycontrast_registration",
    "brain_mr_template_registration",
}  # fmt: skip


def one_of_a_kind(*, without: Collection[str] = (), slow: Collection[str] = ()) -> pytest.MarkDecorator:
    """Each bundle but those `without`; those of TWINS, and those named `slow`, in the slow part."""
    chosen = [bundle for bundle in BUNDLES if bundle.name not in without]
    marks = {bundle: [pytest.mark.slow] if bundle.name in {*TWINS, *slow} else [] for bundle in chosen}
    return pytest.mark.parametrize("bundle", [pytest.param(b, id=b.name, marks=marks[b]) for b in chosen])


each_of_a_kind, each_exported = one_of_a_kind(), one_of_a_kind(without=INSTANCES | OPTIMISING)
# An export takes half a minute: in the quick part each network has one, by the command of MONAI or by ours.
EXPORTED_BY_MONAI = {
    "membrane_em_segmentation", "brain_mr_voxelmorph_registration", HEADS,
}  # fmt: skip
EXPORTED_BY_US = {"blood_cell_yolo_detection", "nuclei_maskrcnn_instance_segmentation"}
each_by_monai = one_of_a_kind(without=INSTANCES | OPTIMISING, slow=EXPORTED_BY_US)
each_by_us = one_of_a_kind(slow=EXPORTED_BY_MONAI)
each_segmentation, each_registration = each("_segmentation", without=INSTANCES), each("_registration")
each_detection = each("_detection")


def config(bundle: Path, name: str) -> dict[str, Any]:
    return json.loads((bundle / "configs" / f"{name}.json").read_text(encoding="utf-8"))


def results_in(folder: Path) -> dict[str, np.ndarray]:
    """Every image and JSON file below `folder`, by its path in it; drawings are none."""
    results = {}
    for path in sorted(path for ending in ("*.nii.gz", "*.png", "*.json") for path in folder.rglob(ending)):
        name = path.relative_to(folder)
        if path.suffix == ".json":
            results[name.as_posix()] = np.asarray(path.read_text(encoding="utf-8"))
        elif name.parts[0] != "overlays" and name.name != "figure.png":
            stored = Image.open(path) if path.suffix == ".png" else nib.Nifti1Image.from_filename(path).dataobj
            results[name.as_posix()] = np.asarray(stored)
    return results


def in_two_processes(files: Sequence[Path], cwd: Path, **options: object) -> subprocess.CompletedProcess:
    """Run these config files in two processes of torchrun, on the CPU."""
    command = [sys.executable, "-W", "ignore", "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    command += ["-m", "monai.bundle", "run", "--config_file", str([str(file) for file in files])]
    command += [text for name, value in options.items() for text in (f"--{name}", str(value))]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


@each_bundle
def test_a_bundle_has_every_file_that_a_bundle_has(bundle: Path) -> None:
    assert (bundle / "recipe.py").is_file()
    configs = ["metadata.json", "inference.json", "train.json", "evaluate.json", "multi_gpu_train.json", "logging.conf"]
    files = [f"configs/{name}" for name in configs]
    files += ["docs/README.md", "docs/data_license.txt", "models/model.pt", "LICENSE"]
    assert [name for name in files if not (bundle / name).is_file()] == []
    assert any((bundle / "sample_data").iterdir())
    assert all(path.stat().st_size <= 16 * 2**20 for path in bundle.glob("models/*"))


@each_bundle
@pytest.mark.parametrize("name", ["inference", "evaluate"])
def test_pictures_are_an_option_that_the_task_of_the_run_is_given(bundle: Path, name: str) -> None:
    content = config(bundle, name)
    assert content["pictures"] is True
    assert content["report"]["task"]["pictures"] == "@pictures"


@each_network
def test_the_weights_are_a_plain_state_dict_of_the_network_in_both_configs(bundle: Path) -> None:
    state = torch.load(bundle / "models" / "model.pt", weights_only=True)
    for name, kind in (("inference", "infer"), ("train", "train")):
        workflow = create_workflow(config_file=str(bundle / "configs" / f"{name}.json"), workflow_type=kind)
        expected = workflow.network_def.state_dict()
        assert state.keys() == expected.keys()
        assert all(state[key].shape == expected[key].shape for key in state)


@each_bundle
def test_monai_finds_all_properties_of_the_workflows(bundle: Path) -> None:
    for name, kind in (("inference", "infer"), ("evaluate", "infer"), ("train", "train")):
        workflow = create_workflow(config_file=str(bundle / "configs" / f"{name}.json"), workflow_type=kind)
        assert workflow.check_properties() == []


@each_segmentation
def test_the_metadata_name_the_classes_and_channels_of_the_configs(bundle: Path) -> None:
    inference, formats = config(bundle, "inference"), config(bundle, "metadata")["network_data_format"]
    assert list(formats["outputs"]["pred"]["channel_def"].values()) == inference["class_names"]
    assert formats["inputs"]["image"]["num_channels"] == inference["channels"]


@each_detection
def test_the_metadata_name_the_corners_and_classes_that_the_network_gives(bundle: Path) -> None:
    inference, formats = config(bundle, "inference"), config(bundle, "metadata")["network_data_format"]
    given = list(formats["outputs"]["pred"]["channel_def"].values())
    assert given[2 * inference["network_def"]["spatial_dims"] :] == inference["class_names"]
    assert formats["outputs"]["pred"]["num_channels"] == len(given)
    assert formats["inputs"]["image"]["num_channels"] == inference["channels"]


@each_registration
def test_the_metadata_name_the_two_images_and_the_axes_of_the_displacement(bundle: Path) -> None:
    dims = config(bundle, "inference")["network_def"]["spatial_dims"]
    formats = config(bundle, "metadata")["network_data_format"]
    assert formats["inputs"]["image"]["num_channels"] == len(formats["inputs"]["image"]["channel_def"]) == 2
    assert formats["outputs"]["pred"]["num_channels"] == len(formats["outputs"]["pred"]["channel_def"]) == dims


@each_bundle
def test_the_network_takes_and_gives_what_the_metadata_say(bundle: Path) -> None:
    assert probe.network(bundle)  # raises what is wrong


@each_of_a_kind
def test_inference_is_the_same_from_every_place(bundle: Path, tmp_path: Path, run_bundle: Callable) -> None:
    """From elsewhere, and from the folder of an archive with shared/ inside and no checkout near."""
    archive = tmp_path / "archive" / bundle.name
    ignored = shutil.ignore_patterns("__pycache__", "outputs", "training")
    shutil.copytree(bundle, archive, ignore=ignored)
    if bundle.name == HEADS:  # a head takes a quarter of a minute: half of its samples' thick one is enough
        (thick,) = (bundle / "sample_data" / "imagesTs").iterdir()
        shutil.rmtree(archive / "sample_data")
        (archive / "sample_data").mkdir()
        nib.save(nib.Nifti1Image.from_filename(thick).slicer[..., 45:], archive / "sample_data" / "half.nii.gz")
    shutil.copytree(ROOT / "shared", archive / "shared", ignore=ignored)
    there, elsewhere = archive / "outputs", tmp_path / "elsewhere"
    done = run_bundle(archive, "inference", cwd=archive, config_file="configs/inference.json", device="cpu")
    assert done.returncode == 0, done.stderr
    run_here(bundle, elsewhere, bundle_root=bundle, dataset_dir=archive / "sample_data")
    for out in (there, elsewhere):
        rows = read_table(out / "summary.csv")
        assert [row["status"] for row in rows] == ["ok"] * len(rows)
        assert all((out / "overlays" / f"{row['case']}.png").is_file() for row in rows)
    given, expected = results_in(there), results_in(elsewhere)
    assert given.keys() == expected.keys() != set()
    assert all(np.array_equal(given[case], expected[case]) for case in given)


@each_by_monai
def test_monai_loads_and_exports_a_bundle_from_elsewhere(bundle: Path, tmp_path: Path) -> None:
    """In a fresh process, so that nothing has imported `shared` before; onnxruntime gives what torch gives."""
    script = f"""
import numpy as np, onnxruntime, torch
from monai.bundle import create_workflow, load, onnx_export
root, name = {str(bundle)!r}, {bundle.name!r}
network = load(name, bundle_dir={str(bundle.parent)!r}, device="cpu").eval()
common = dict(meta_file=root + "/configs/metadata.json", config_file=root + "/configs/inference.json", bundle_root=root)
onnx_export("network_def", filepath="model.onnx", ckpt_file=root + "/models/model.pt", **common)
image = create_workflow(config_file=common["config_file"], workflow_type="infer").dataset[0]["image"].as_tensor()[None]
image = image[(..., *[slice(64)] * (image.ndim - 2))]  # of a whole head a part
session = onnxruntime.InferenceSession("model.onnx")
(entry,) = session.get_inputs()
shape = [d if isinstance(d, int) else image.shape[i] for i, d in enumerate(entry.shape)]
image = torch.nn.functional.interpolate(image, size=shape[2:])
with torch.no_grad():
    expected = network(image).numpy()
(given,) = session.run(None, {{entry.name: image.numpy()}})
# Both compute in float32; sums over some thousand products differ in their last bits.
np.testing.assert_allclose(given, expected, rtol=1e-3, atol=1e-3)
print("all well")
"""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.stdout.endswith("all well\n"), done.stderr


@each_bundle
def test_what_cannot_be_meant_is_refused(bundle: Path, tmp_path: Path) -> None:
    """As an InputError, which a command line reports in one line: tests/test_hippocampus.py."""
    line = refused_here(bundle, tmp_path / "out", datset_dir="data")
    assert line.startswith("--datset_dir: expected an option of this config, got one it does not know; did you ")
    assert not (tmp_path / "out").exists()


def two_processes(bundle: Path, config: str, tmp_path: Path) -> None:
    files = [bundle / "configs" / f"{config}.json"]
    done = in_two_processes(files, tmp_path, output_dir=tmp_path / "two", dataset_dir=bundle / "sample_data")
    assert done.returncode == 0, done.stderr
    run_here(bundle, tmp_path / "one", config, dataset_dir=bundle / "sample_data")
    assert_same_results(tmp_path / "one", tmp_path / "two")
    (table,) = (
        (tmp_path / "one") / name for name in ("summary.csv", "metrics.csv") if (tmp_path / "one" / name).exists()
    )
    count = len(read_table(table))
    assert done.stdout.count(f"{count} of {count} cases done") == 1


def test_two_processes_share_the_cases_and_give_what_one_gives(tmp_path: Path) -> None:
    """Of one bundle by torchrun; how each task brings results together is tested in tests/tasks/."""
    two_processes(ROOT / "bundles" / BY_TORCHRUN, "inference", tmp_path)


@pytest.mark.slow
@each_bundle
@pytest.mark.parametrize("config", ["inference", "evaluate"])
def test_two_processes_of_every_bundle_give_what_one_gives(bundle: Path, config: str, tmp_path: Path) -> None:
    two_processes(bundle, config, tmp_path)


def printed_by_two(bundle: Path, files: Sequence[Path], tmp_path: Path, options: dict[str, Any]) -> str:
    """Train in two processes: torchrun starts those of one bundle; the others' are forked, which spares an import."""
    if bundle.name == BY_TORCHRUN:
        done = in_two_processes(files, tmp_path, **options)
        assert done.returncode == 0, done.stderr
        return done.stdout
    texts = {name: str(value) if isinstance(value, Path) else value for name, value in options.items()}
    in_processes(2, train_in_group, files, tmp_path, texts)
    return "".join((tmp_path / f"{rank}.txt").read_text() for rank in (0, 1))


@each_of_a_kind
def test_two_processes_train_one_network(
    bundle: Path, tmp_path: Path, phantom_dataset: Callable[..., Path], boxed_dataset: Callable[..., Path]
) -> None:
    """Each sees its half of the cases; one of them writes; both end well."""
    files = [bundle / "configs" / name for name in ("train.json", "multi_gpu_train.json")]
    data = small_data(bundle, tmp_path / "data", phantom_dataset, boxed_dataset)
    options = {"dataset_dir": data, "output_dir": tmp_path / "out", "max_epochs": 2, **small_training(bundle)}
    # Four cases to train on are two steps of batch 1 for each of two processes; told once, not twice.
    assert printed_by_two(bundle, files, tmp_path, options).count("epoch 2/2") == 1
    state = torch.load(tmp_path / "out" / "last.pt", weights_only=True)
    assert int(state["average"]["n_averaged"]) == 2 * 2
    assert len(read_table(tmp_path / "out" / "metrics.csv")) == 2
