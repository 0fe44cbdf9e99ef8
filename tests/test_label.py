"""MONAI Label runs a bundle's parts, read from its configs, and gives what the command line writes."""

import shutil
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import tifffile
import torch

from shared.bundle import open_bundle
from tests.running import script

BUNDLES = Path(__file__).parents[1] / "bundles"
BUNDLE = BUNDLES / "hippocampus_mr_segmentation"
NUCLEI = BUNDLES / "nuclei_maskrcnn_instance_segmentation"


@pytest.mark.client
def test_labels_inference_is_that_of_the_bundle() -> None:
    label: Any = pytest.importorskip(
        "monailabel.tasks.infer.bundle", reason="needs monailabel, and a torchvision of the torch that is installed"
    )
    (image, *_) = sorted((BUNDLE / "sample_data" / "imagesTr").glob("*.nii.gz"))
    task = label.BundleInferTask(str(BUNDLE), {"preload": "false"})
    assert task.labels == {"anterior": 1, "posterior": 2}
    written, _ = task({"image": str(image), "device": "cpu", "model": BUNDLE.name})
    found = np.asarray(nib.Nifti1Image.from_filename(written).dataobj)
    assert np.array_equal(found, open_bundle(BUNDLE, device="cpu").predict(image).labels)


@pytest.mark.client
def test_of_a_picture_each_nucleus_has_its_number_where_the_bundle_finds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip(
        "monailabel.tasks.infer.bundle", reason="needs monailabel, and a torchvision of the torch that is installed"
    )
    # In bfloat16, where the processor has it, masks differ by pixels, from one order of sums to another.
    monkeypatch.setattr("shared.tasks.instances.inferer.computes_in_bfloat16", lambda device: False)
    image = NUCLEI / "sample_data" / "images" / "fluorescence_1f000806.png"
    task = script("monai_label_inference", "docs").ZooInferTask(str(NUCLEI), {"preload": "false"})
    assert task.labels == {"nucleus": 1}
    request = {"image": str(image), "device": "cpu", "model": NUCLEI.name, "result_extension": ".tif"}
    written, _ = task(request | {"result_dtype": "uint16"})
    expected = open_bundle(NUCLEI, device="cpu").predict(image).ids
    assert expected.max() > 10
    assert np.array_equal(tifffile.imread(written), expected)


@pytest.mark.client
@pytest.mark.parametrize("original", [BUNDLE, NUCLEI], ids=[BUNDLE.name, NUCLEI.name])
def test_a_second_training_goes_on_and_leaves_its_weights_where_inference_looks(original: Path, tmp_path: Path) -> None:
    pytest.importorskip("monailabel.tasks.train.bundle", reason="needs monailabel")
    bundle = tmp_path / "bundles" / original.name
    shutil.copytree(original, bundle, ignore=shutil.ignore_patterns("outputs", "*.onnx"))
    images = next(path for name in ("imagesTr", "images") if (path := bundle / "sample_data" / name).is_dir())
    labels = images.with_name(images.name.replace("images", "labels"))
    task = script("monai_label_training", "docs").ZooTrainTask(str(bundle), {})
    request = {"model": bundle.name, "device": "cpu", "max_epochs": 1, "val_split": 0.34, "multi_gpu": False}
    cases = _Datastore([{"image": str(path), "label": str(labels / path.name)} for path in sorted(images.iterdir())])
    task(request, cases)
    first = _weights(bundle)
    task(request, cases)
    second = _weights(bundle)
    # An epoch of one step, by AdamW, moves a weight by about the learning rate of train.json at most, 0.002; new random
    # weights, which a convolution draws up to 0.1 and more, would not come near.
    assert max(float((second[name] - first[name]).abs().max()) for name in first if "weight" in name) < 0.02
    written = [(bundle / "outputs" / name / "model.pt").read_bytes() for name in ("label_001", "label_002")]
    assert written[0] != written[1] == (bundle / "models" / "model.pt").read_bytes()


class _Datastore:
    """What of Label's a training asks for."""

    def __init__(self, cases: list[dict[str, str]]) -> None:
        self.cases = cases

    def datalist(self) -> list[dict[str, str]]:
        return self.cases


def _weights(bundle: Path) -> dict[str, torch.Tensor]:
    return torch.load(bundle / "models" / "model.pt", weights_only=True)
