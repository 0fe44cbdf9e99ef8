"""A folder a bundle, as a repository of the Hugging Face hub holds it: the archive's files, a card for the hub."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from shared.errors import InputError
from shared.files import read_json, read_text
from shared.zoo.archives import empty_folder
from shared.zoo.cards import COMMENT
from shared.zoo.packing import archive_contents, read_metadata

# The hub's tasks by ours; it has none for registration, which takes an image to an image.
PIPELINES = {
    "segmentation": "image-segmentation",
    "instances": "image-segmentation",
    "detection": "object-detection",
    "registration": "image-to-image",
}
LICENCES = ("apache-2.0", "cc-by-4.0", "cc-by-sa-4.0", "cc0-1.0", "mit")  # that the hub knows; others are "other"
LINK = re.compile(r"(?P<text>!?\[[^\[\]]*\])\((?P<path>[^()\s]+)\)")


def make_hub(bundles: Sequence[Path], folder: Path) -> list[Path]:
    """Write folder/NAME, the content of a repository of the hub, for each of `bundles`; give these folders.

    Raises InputError for an unfit bundle, where such a folder is there and not empty, and without safetensors.
    """
    return [_make_repository(bundle, empty_folder(folder / bundle.name, "--hub")) for bundle in bundles]


def hub_card(bundle: Path) -> str:
    """The card of a bundle with front matter, and with links that hold from the root of its repository."""
    card = read_text(bundle / "docs" / "README.md")
    front = yaml.safe_dump(front_matter(bundle), sort_keys=False, allow_unicode=True)
    return f"---\n{front}---\n{COMMENT.sub('', LINK.sub(_from_root, card))}"


def front_matter(bundle: Path) -> dict[str, Any]:
    """What the hub shows and searches by: licence of the weights, task, tags and scores, from the bundle's metadata.

    Raises InputError where these do not say under which licence the weights are.
    """
    path = bundle / "configs" / "metadata.json"
    metadata = read_metadata(path)
    if "weights_licence" not in metadata:
        raise InputError(path, expected="weights_licence, such as CC-BY-SA-4.0", got="none", fix="add it")
    task = task_of(bundle)
    modality = metadata["network_data_format"]["inputs"]["image"]["modality"].lower()
    return {
        **_licence(metadata["weights_licence"]),
        "library_name": "monai",
        "pipeline_tag": PIPELINES[task],
        "tags": ["monai", "medical", modality, *(["image-registration"] if task == "registration" else [])],
        "model-index": [{"name": bundle.name, "results": [_results(metadata, PIPELINES[task])]}],
    }


def task_of(bundle: Path) -> str:
    """segmentation, detection, instances or registration: the room of shared/tasks that the bundle's results are of."""
    target: str = read_json(bundle / "configs" / "inference.json")["report"]["task"]["_target_"]
    return target.split(".")[2]


def _licence(name: str) -> dict[str, str]:
    """name: an SPDX identifier, or words for terms of another kind."""
    if name.lower() in LICENCES:
        return {"license": name.lower()}
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return {"license": "other", "license_name": slug, "license_link": "docs/data_license.txt"}


def _results(metadata: Mapping[str, Any], pipeline: str) -> dict[str, Any]:
    data = metadata["data_source"].split(", http")[0]
    return {
        "task": {"type": pipeline, "name": metadata["task"]},
        "dataset": {"type": re.sub(r"[^a-z0-9]+", "-", data.lower()).strip("-"), "name": data},
        "metrics": [
            {"type": name, "value": value, "name": name.replace("_", " ")}
            for name, value in metadata["eval_metrics"].items()
        ],
    }


def _from_root(link: re.Match[str]) -> str:
    """A link of docs/README.md as README.md has it; what leads out of the bundle becomes its text."""
    path = link["path"]
    if re.match(r"[a-z]+:|#", path):
        return link[0]
    inner = os.path.normpath(f"docs/{path}")
    return link["text"].strip("![]") if inner.startswith("..") else f"{link['text']}({inner})"


def _make_repository(bundle: Path, folder: Path) -> Path:
    for name, content in archive_contents(bundle).items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else content.read_bytes())
    (folder / "README.md").write_text(hub_card(bundle), encoding="utf-8")
    _write_safetensors(folder / "models")
    return folder


def _write_safetensors(models: Path) -> None:
    """The tensors of model.pt, which is all that MONAI reads, in the form that others look for."""
    try:
        from safetensors.torch import save_file
    except ImportError as error:
        raise InputError(
            "--hub", expected="the package safetensors", got="none", fix="pip install 'monai-bundle-zoo[hub]'"
        ) from error
    import torch

    state = torch.load(models / "model.pt", map_location="cpu", weights_only=True)
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, models / "model.safetensors")
