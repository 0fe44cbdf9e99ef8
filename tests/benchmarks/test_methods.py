"""What is timed: every bundle has its methods, and these compute what they say."""

import json
from dataclasses import asdict
from functools import partial
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from shared.benchmarks.catalogue import methods_of
from shared.benchmarks.classical import watershed
from shared.benchmarks.methods import BATCH, MOST_VOXELS, Method, Subject
from shared.benchmarks.ours import first_image, in_other_runtime, in_torch, opened
from shared.benchmarks.tensors import repeat
from shared.engine.inferers import computes_in_bfloat16
from shared.errors import InputError

BUNDLES = sorted((Path(__file__).parents[2] / "bundles").glob("*/"))


def kept(kept_in: list[object], network: object) -> object:
    """`network`, which is noted."""
    kept_in.append(network)
    return network


def subject_of(bundle: Path, folder: Path) -> Subject:
    file = folder / "image.npy"
    np.save(file, first_image(bundle))
    return Subject(str(bundle), str(file), "cpu", 1)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda path: path.name)
def test_every_bundle_has_methods_that_survive_json_and_name_functions(bundle: Path, device: str) -> None:
    methods = methods_of(bundle, device)
    assert methods[0].name == "ours, as shipped"
    assert methods[0].starts
    assert len({method.name for method in methods}) == len(methods)
    assert any(not method.name.startswith("ours") for method in methods)
    for method in methods:
        assert Method(**json.loads(json.dumps(asdict(method)))) == method  # as a fresh process receives it
        module, function = method.builder.rsplit(".", 1)
        assert callable(getattr(import_module(module), function))


def test_the_rows_of_a_gpu_are_there_only_with_one(root: Path) -> None:
    bundle = root / "bundles" / "blood_cell_yolo_detection"
    on_cpu, on_cuda = ({method.name for method in methods_of(bundle, device)} for device in ("cpu", "cuda"))
    rows = ("bfloat16", "float32, channels last", "CUDA graph", "onnxruntime, CUDA", "onnxruntime, TensorRT")
    assert {f"ours, {row}" for row in rows} <= on_cuda
    assert {"ours, not fused", "ours, onnxruntime, CPU", "ours, OpenVINO"} <= on_cpu - on_cuda
    assert not {f"ours, {row}" for row in rows[1:]} & on_cpu


def test_a_peer_that_is_a_network_has_every_runtime_that_the_bundle_has(root: Path) -> None:
    for device in ("cpu", "cuda"):
        names = [method.name for method in methods_of(root / "bundles" / "hippocampus_mr_segmentation", device)]
        runtimes = {name.removeprefix("ours, ") for name in names if "onnxruntime" in name or "OpenVINO" in name}
        ours = {text for text in runtimes if not text.startswith("MONAI")}
        assert ours
        assert {f"MONAI BasicUNet, {text}" for text in {*ours, "best in torch"}} <= set(names)


def test_what_is_timed_is_what_the_bundle_computes(root: Path, tmp_path: Path) -> None:
    subject = subject_of(root / "bundles" / "brain_mr_voxelmorph_registration", tmp_path)
    bundle = opened(subject.bundle, device="cpu", bfloat16=False)
    network, inferer = bundle.part("network"), bundle.part("inferer")
    network.load_state_dict(torch.load(Path(subject.bundle) / "models" / "model.pt", weights_only=True))
    torch.set_num_threads(subject.threads)  # of another number sums are in another order
    with torch.no_grad():
        expected = inferer(torch.from_numpy(subject.image), network.eval())
    runs = in_torch(subject, bfloat16=False, fuse=False)
    assert torch.equal(runs.single(), expected)  # type: ignore[arg-type]
    assert runs.batch is not None
    batch = runs.batch()
    assert isinstance(batch, Tensor)
    assert batch.shape == (BATCH, *expected.shape[1:])
    # Convolutions of another batch sum in another order; displacements are up to tens of voxels.
    torch.testing.assert_close(batch, expected.expand_as(batch), rtol=0, atol=1e-3)


def test_the_network_is_timed_fused_unless_that_is_not_wanted(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = subject_of(root / "bundles" / "brain_mr_voxelmorph_registration", tmp_path)
    asked: list[object] = []
    monkeypatch.setattr("shared.benchmarks.ours.fused", partial(kept, asked))
    in_torch(subject, fuse=False)
    assert not asked
    in_torch(subject)
    assert len(asked) == 1


def test_an_optimisation_has_no_row_in_onnxruntime(root: Path, tmp_path: Path) -> None:
    bundle = root / "bundles" / "brain_mr_nodeo_registration"
    assert not [method for method in methods_of(bundle, "cpu") if "onnx" in method.name]
    with pytest.raises(InputError, match="optimisation by gradients"):
        in_other_runtime(subject_of(bundle, tmp_path), runtime="onnx")


def test_shipped_in_bfloat16_is_timed_so(root: Path, tmp_path: Path) -> None:
    subject = subject_of(root / "bundles" / "brain_mr_voxelmorph_registration", tmp_path)
    shipped, exact = (in_torch(subject, **options).single() for options in ({}, {"bfloat16": False}))  # type: ignore[arg-type]
    lower = computes_in_bfloat16(torch.device("cpu"))
    assert torch.equal(shipped, exact) != lower  # type: ignore[arg-type]
    names = [method.name for method in methods_of(Path(subject.bundle), "cpu")]
    assert ("ours, float32" in names, "ours, bfloat16" in names) == (lower, not lower)  # the other precision


def test_images_are_repeated() -> None:
    assert repeat(torch.ones(1, 2, 5, 8), 3).shape == (3, 2, 5, 8)


@pytest.mark.parametrize(("share", "count"), [(100, BATCH), (3, 3), (0.5, 1)])
def test_of_large_volumes_fewer_are_run_at_once(share: float, count: int, tmp_path: Path) -> None:
    np.save(tmp_path / "volume.npy", np.broadcast_to(np.float32(0), [1, 2, int(MOST_VOXELS / share), 1, 1]))
    assert Subject("", str(tmp_path / "volume.npy")).batch == count


def test_the_watershed_parts_two_discs_that_touch(tmp_path: Path) -> None:
    rows, columns = np.mgrid[:40, :60]
    discs = [(rows - 20) ** 2 + (columns - middle) ** 2 < 11**2 for middle in (20, 40)]
    np.save(tmp_path / "image.npy", (discs[0] | discs[1]).astype(np.float32)[None, None])
    found = np.asarray(watershed(Subject("none", str(tmp_path / "image.npy"))).single())
    assert set(np.unique(found)) == {0, 1, 2}
    assert found[20, 20] != found[20, 40]
