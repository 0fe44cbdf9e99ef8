"""MONAI Deploy runs bundles: its operator hands images over in memory, and gives what the command line writes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from shared.bundle import open_bundle
from shared.images.reading import read_image
from tests.running import script
from tests.small import small_data

ROOT = Path(__file__).parents[1]
ONE_IMAGE = sorted(
    path for path in (ROOT / "bundles").iterdir() if path.is_dir() and not path.name.endswith("_registration")
)
each_bundle = pytest.mark.parametrize("bundle", ONE_IMAGE, ids=[bundle.name for bundle in ONE_IMAGE])


def first_image(folder: Path) -> Path:
    return next(path for path in sorted(folder.rglob("*1.*")) if path.suffix != ".xml" and "abels" not in str(path))


def smallest_sample(bundle: Path) -> Path:
    """The picture of a bundle's samples with the smallest file."""
    folders = [bundle / "sample_data" / name for name in ("images", "JPEGImages")]
    pictures = [path for folder in folders if folder.is_dir() for path in folder.iterdir()]
    return min(pictures, key=lambda path: path.stat().st_size)


class Ports:
    """In place of the ports of an operator: what it receives, and what it emits."""

    def __init__(self, image: Any = None) -> None:
        self.image = image
        self.emitted: dict[str, Any] = {}

    def receive(self, name: str) -> Any:
        return self.image

    def emit(self, value: Any, name: str) -> None:
        self.emitted[name] = value


@pytest.mark.client
@each_bundle
def test_deploys_operator_gives_what_the_bundle_gives(
    bundle: Path,
    tmp_path: Path,
    phantom_dataset: Callable[..., Path],
    boxed_dataset: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # In bfloat16, where the processor has it, boxes are off by up to a pixel, from one order of sums to another.
    for task in ("detection", "instances"):
        monkeypatch.setattr(f"shared.tasks.{task}.inferer.computes_in_bfloat16", lambda device: False)
    operators = pytest.importorskip(
        "monai.deploy.operators.monai_bundle_inference_operator", reason="needs monai-deploy-app-sdk and holoscan"
    )
    core = pytest.importorskip("monai.deploy.core")
    monkeypatch.chdir(tmp_path)  # whose folder models/ the SDK would take for the bundle
    data = small_data(bundle, tmp_path / "data", phantom_dataset, boxed_dataset, count=2)
    finds_objects = bundle.name.endswith(("_detection", "_instance_segmentation"))
    image = read_image(smallest_sample(bundle) if finds_objects else first_image(data))
    mapping = [operators.IOMapping(name, core.Image, core.IOType.IN_MEMORY) for name in ("image", "pred")]
    # Of several outputs, as the nuclei's ids and scores, Deploy's own operator hands on the first name alone.
    several = bundle.name.endswith("_instance_segmentation")
    made = script("monai_deploy", "docs").NamedOutputsOperator if several else operators.MonaiBundleInferenceOperator
    operator = made(
        core.Fragment(), app_context=core.AppContext({}), input_mapping=mapping[:1], output_mapping=mapping[1:],
        bundle_path=bundle,
    )  # fmt: skip
    # As its loaders give images: without channels, or with colours last.
    values = image.values[0] if len(image.values) == 1 else np.moveaxis(image.values, 0, -1)
    meta = {"affine": image.affine, "original_affine": image.affine, "spacing": [1, 1, 1]}
    inwards, outwards = Ports(core.Image(values, metadata=meta)), Ports()
    operator.compute(inwards, outwards, None)
    result = outwards.emitted["pred"]
    expected = open_bundle(bundle, device="cpu").predict(image)
    if bundle.name.endswith("_detection"):
        counted = expected.counted
        assert len(counted) > 0
        # Hundredths of a pixel apart, since the zoo's own run folds the normalisation into the convolutions.
        np.testing.assert_allclose(result[: len(counted)], counted, atol=0.05)
    elif several:
        assert expected.ids.max() > 10
        assert np.array_equal(result[0], expected.ids)
    else:
        labels = result.asnumpy()
        labels = labels.swapaxes(0, 2) if labels.ndim == 3 else labels
        assert np.array_equal(labels, expected.labels)


@each_bundle
def test_the_parts_take_an_image_in_memory_as_they_take_its_file(
    bundle: Path, tmp_path: Path, phantom_dataset: Callable[..., Path], boxed_dataset: Callable[..., Path]
) -> None:
    data = small_data(bundle, tmp_path / "data", phantom_dataset, boxed_dataset, count=2)
    path = first_image(data)
    file = read_image(path)
    preprocessing = open_bundle(bundle, device="cpu").part("preprocessing")
    of_file = preprocessing({"image": str(path)})["image"]
    first = MetaTensor(torch.as_tensor(file.values), affine=torch.as_tensor(file.affine))
    last = MetaTensor(
        torch.as_tensor(file.values).movedim(0, -1), affine=torch.as_tensor(file.affine),
        meta={"original_channel_dim": -1},
    )  # fmt: skip
    for image in (first, last):
        assert torch.equal(torch.as_tensor(preprocessing({"image": image})["image"]), torch.as_tensor(of_file))
