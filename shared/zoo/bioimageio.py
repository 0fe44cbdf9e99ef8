"""A folder a bundle, as bioimage.io has models: rdf.yaml, the weights in two forms, and arrays to test them by."""

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from monai.bundle import ConfigWorkflow, create_workflow
from monai.transforms import CenterSpatialCrop, Compose, NormalizeIntensityd, ScaleIntensityRangePercentilesd
from torch import Tensor, nn

from shared.engine.forms import Form
from shared.engine.weights import load_weights
from shared.export.files import example_images, write_onnx
from shared.files import read_json, read_text
from shared.nets.standardised import build_network
from shared.zoo.archives import empty_folder
from shared.zoo.bioimageio_description import Model, description
from shared.zoo.cards import COMMENT
from shared.zoo.hub import LINK, task_of
from shared.zoo.packing import read_metadata

STEPS = [ScaleIntensityRangePercentilesd.__name__, NormalizeIntensityd.__name__]
MOST = {2: 256, 3: 48}  # sides of the arrays, in pixels or voxels: those of the output may have dozens of channels


def fits(bundle: Path) -> bool:
    """Whether bioimage.io has words for the bundle: a segmentation of one image, whose intensities go by `STEPS`."""
    if task_of(bundle) != "segmentation":
        return False
    names = [step["_target_"] for step in _steps(read_json(bundle / "configs" / "inference.json"))]
    return names in (STEPS[:1], STEPS)


def make_bioimageio(bundles: Sequence[Path], folder: Path) -> list[Path]:
    """Write folder/NAME, what is uploaded to bioimage.io, for each of `bundles` that fits; give these folders.

    Raises InputError where such a folder is there and not empty.
    """
    return [_make_folder(bundle, folder / bundle.name) for bundle in bundles if fits(bundle)]


def _make_folder(bundle: Path, folder: Path) -> Path:
    empty_folder(folder, "--bioimageio")
    workflow = create_workflow(
        config_file=str(bundle / "configs" / "inference.json"), workflow_type="infer", bundle_root=str(bundle),
        device="cpu",
    )  # fmt: skip
    model = _model(workflow)
    network = build_network(**model.architecture)
    load_weights(network, bundle / "models" / "model.pt").eval()
    _write_arrays(workflow, network, folder)
    shutil.copy(bundle / "models" / "model.pt", folder)
    shutil.copy(bundle / "docs" / "data_license.txt", folder)
    _write_onnx(network, model, bundle, folder / "model.onnx")
    (folder / "README.md").write_text(_card(bundle), encoding="utf-8")
    content = description(model, read_metadata(bundle / "configs" / "metadata.json"), folder)
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    (folder / "rdf.yaml").write_text(text, encoding="utf-8")
    return folder


def _steps(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the preprocessing of a bundle does from its percentiles on."""
    transforms = config["preprocessing"]["transforms"]
    targets = [transform["_target_"] for transform in transforms]
    return transforms[targets.index(STEPS[0]) :] if STEPS[0] in targets else []


def _model(workflow: ConfigWorkflow) -> Model:
    get = workflow.parser.get_parsed_content
    config: Any = workflow.parser.config
    first, *rest = _steps(config)
    if "pixdim" in config:
        spacing, unit = get("pixdim"), "millimeter"
    else:
        known = config["inferer"]["magnification"]
        spacing, unit = [known["known_um"] / known["known_px"]] * 2, "micrometer"
    return Model(
        target=config["network_def"]["_target_"],
        arguments={name: get(f"network_def::{name}") for name in config["network_def"] if not name.startswith("_")},
        percentiles=(first["lower"], first["upper"]),
        standardised=bool(rest),
        class_names=get("class_names"),
        spacing=spacing,
        unit=unit,
    )


def _write_arrays(workflow: ConfigWorkflow, network: nn.Module, folder: Path) -> None:
    """input.npy, of a sample on the network's grid, and output.npy, by the bundle's own scaling of its intensities."""
    config: Any = workflow.parser.config
    transforms, count = workflow.parser.get_parsed_content("preprocessing").transforms, len(_steps(config))
    image = Compose(transforms[:-count])(dict(workflow.dataset.data[0]))["image"]
    image = CenterSpatialCrop(MOST[image.ndim - 1])(image)
    scaled = Compose(transforms[-count:])({"image": image})["image"]
    with torch.no_grad():
        pred = network(_batch(scaled)).softmax(dim=1)
    np.save(folder / "input.npy", _batch(image).numpy())
    np.save(folder / "output.npy", pred.numpy())


def _batch(image: Tensor) -> Tensor:
    return torch.as_tensor(np.asarray(image), dtype=torch.float32)[None]


def _write_onnx(network: nn.Module, model: Model, bundle: Path, path: Path) -> None:
    # Two sizes that are no multiples of a stride, as in export_bundle.
    sizes = [(2, *(45 + 4 * axis for axis in range(len(model.spacing)))), (1, *[32] * len(model.spacing))]
    form = Form(network)
    examples = form.examples(example_images(model.arguments["in_channels"], sizes))
    write_onnx(form, examples, path, precision="fp32", properties={"bundle": bundle.name, "form": "bioimage.io"})


def _card(bundle: Path) -> str:
    """The bundle's card, links to files as their texts, with the heading "Validation" that bioimage.io looks for."""
    card = COMMENT.sub("", read_text(bundle / "docs" / "README.md"))
    card = card.replace("## How good it is", "## Validation: how good it is")
    return LINK.sub(lambda link: link[0] if re.match(r"[a-z]+:|#", link["path"]) else link["text"].strip("![]"), card)
