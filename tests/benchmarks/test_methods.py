"""What is timed: every bundle has its methods, and these compute what they say."""

import json
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from shared.benchmarks.classical import watershed
from shared.benchmarks.methods import Method, Subject, methods_of
from shared.benchmarks.ours import InPrecision, Watched, in_onnxruntime, in_torch, open_bundle
from shared.benchmarks.tensors import BATCH, repeat
from shared.engine.inferers import computes_in_bfloat16
from shared.errors import InputError

BUNDLES = sorted((Path(__file__).parents[2] / "bundles").glob("*/"))


def subject_of(bundle: Path, folder: Path) -> Subject:
    file = folder / "image.npy"
    np.save(file, open_bundle(bundle).dataset[0]["image"].numpy()[None].astype(np.float32))
    return Subject(str(bundle), str(file), "cpu", 1)


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda path: path.name)
def test_every_bundle_has_methods_that_survive_json_and_name_functions(bundle: Path) -> None:
    methods = methods_of(bundle, "cuda")
    assert methods[0].name == "ours, as shipped"
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
    assert {f"ours, {row}" for row in rows} <= on_cuda - on_cpu


def test_what_is_timed_is_what_the_bundle_computes(root: Path, tmp_path: Path) -> None:
    subject = subject_of(root / "bundles" / "brain_mr_voxelmorph_registration", tmp_path)
    workflow = open_bundle(subject.bundle, device="cpu", bfloat16=False)
    network, inferer = (workflow.parser.get_parsed_content(name) for name in ("network", "inferer"))
    network.load_state_dict(torch.load(Path(subject.bundle) / "models" / "model.pt", weights_only=True))
    with torch.no_grad():
        expected = inferer(torch.from_numpy(subject.image), network.eval())
    runs = in_torch(subject, bfloat16=False)
    assert torch.equal(runs.single(), expected)  # type: ignore[arg-type]
    assert runs.batch is not None
    batch = runs.batch()
    assert isinstance(batch, Tensor)
    assert batch.shape == (BATCH, *expected.shape[1:])
    # Convolutions of another batch may sum in another order; displacements are up to tens of voxels.
    torch.testing.assert_close(batch, expected.expand_as(batch), rtol=0, atol=1e-3)


def test_an_optimisation_has_no_row_in_onnxruntime(root: Path, tmp_path: Path) -> None:
    subject = subject_of(root / "bundles" / "brain_mr_nodeo_registration", tmp_path)
    with pytest.raises(InputError, match="optimisation by gradients"):
        in_onnxruntime(subject, provider="CPUExecutionProvider")


@pytest.mark.parametrize("lower", [True, False])
def test_a_precision_holds_whatever_it_is_called_under(lower: bool) -> None:
    computed: list[torch.dtype] = []

    class Convolving(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Conv2d(1, 2, 3)

        def forward(self, image: Tensor) -> Tensor:
            out: Tensor = self.layer(image)
            computed.append(out.dtype)
            return out

    network = InPrecision(Convolving(), lower)
    with torch.autocast("cpu", torch.bfloat16, enabled=not lower):
        assert network(torch.ones(1, 1, 8, 8)).dtype == torch.float32
    assert computed == [torch.bfloat16 if lower else torch.float32]


def test_a_watched_network_remembers_the_first_image_and_autocast() -> None:
    network = Watched(lambda image: image + 1)
    with torch.autocast("cpu", torch.bfloat16):
        assert network(torch.zeros(1, 1, 2)).sum() == 2
    network(torch.ones(1, 1, 2))
    (image,) = network.images
    assert image.sum() == 0
    assert network.bfloat16


def test_shipped_in_bfloat16_is_timed_so(root: Path, tmp_path: Path) -> None:
    subject = subject_of(root / "bundles" / "brain_mr_voxelmorph_registration", tmp_path)
    shipped, exact = (in_torch(subject, **options).single() for options in ({}, {"bfloat16": False}))  # type: ignore[arg-type]
    assert torch.equal(shipped, exact) != computes_in_bfloat16(torch.device("cpu"))  # type: ignore[arg-type]


def test_images_are_repeated() -> None:
    image = torch.ones(1, 2, 5, 8)
    assert repeat(image).shape == (BATCH, 2, 5, 8)


def test_the_watershed_parts_two_discs_that_touch(tmp_path: Path) -> None:
    rows, columns = np.mgrid[:40, :60]
    discs = [(rows - 20) ** 2 + (columns - middle) ** 2 < 11**2 for middle in (20, 40)]
    np.save(tmp_path / "image.npy", (discs[0] | discs[1]).astype(np.float32)[None, None])
    found = np.asarray(watershed(Subject("none", str(tmp_path / "image.npy"))).single())
    assert set(np.unique(found)) == {0, 1, 2}
    assert found[20, 20] != found[20, 40]
