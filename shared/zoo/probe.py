"""Run by `verify`, as a file, in a process of its own: does the bundle in sys.argv[1] work, with nothing else near?

Writes a JSON object a line to the file sys.argv[2], one a check: {"check", "status", "found"}.
"""

import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser, ConfigWorkflow, create_workflow, verify_net_in_out

KINDS = {"inference": "infer", "evaluate": "infer", "train": "train"}


def weights(root: Path) -> str:
    """Every models/*.pt loads as tensors alone, and all of them are finite."""
    count = 0
    for path in sorted((root / "models").glob("[!.]*.pt")):  # no hidden ones
        state = torch.load(path, map_location="cpu", weights_only=True)
        for name, tensor in state.items():
            if not isinstance(tensor, torch.Tensor):
                raise TypeError(f"{path.name} holds {type(tensor).__name__} under {name}, not a tensor")
            if tensor.is_floating_point() and not tensor.isfinite().all():
                raise ValueError(f"{path.name}: {name} has NaN or Inf")
            count += tensor.numel()
    return f"{count:,} numbers, weights_only"


def configs(root: Path) -> str:
    """Each config starts, and the network, the engine and every other property that its workflow asks for is made."""
    for name in KINDS:
        workflow = _workflow(root, name)
        absent = workflow.check_properties()
        if absent:
            raise ValueError(f"{name}.json lacks {', '.join(absent)}")
        if not isinstance(workflow.network_def, torch.nn.Module):
            raise TypeError(f"{name}.json: network_def is a {type(workflow.network_def).__name__}")
    return f"{', '.join(KINDS)} instantiate"


def network(root: Path) -> str:
    """The network takes and gives what metadata.json says."""
    config, meta = (str(root / "configs" / name) for name in ("inference.json", "metadata.json"))
    formats = ConfigParser.load_config_file(meta)["network_data_format"]
    if formats["outputs"]["pred"]["type"] == "tuples":
        check_fields(_workflow(root, "inference").network_def, formats["inputs"]["image"], formats["outputs"]["pred"])
    else:
        verify_net_in_out("network_def", meta_file=meta, config_file=config, bundle_root=str(root), device="cpu")
    sides = {**formats["inputs"], **formats["outputs"]}
    return ", ".join(f"{name} {side['num_channels']} × {side['spatial_shape']}" for name, side in sides.items())


def check_fields(network: torch.nn.Module, image: dict[str, Any], pred: dict[str, Any]) -> None:
    """What MONAI's verify_net_in_out does for one tensor, for a network that gives a NamedTuple of them.

    Raises ValueError unless `channel_def` says of each field in turn "NAME (SIZES but the batch) TYPE: …".
    """
    with torch.no_grad():
        outputs = network.eval()(torch.rand(1, image["num_channels"], *image["spatial_shape"]))
    descriptions = pred["channel_def"].values()
    if not len(outputs) == pred["num_channels"] == len(descriptions):
        raise ValueError(
            f"the network gives {len(outputs)} tensors, metadata say {pred['num_channels']}: {list(descriptions)}"
        )
    for name, tensor, words in zip(outputs._fields, outputs, descriptions):
        found = f"{name} ({', '.join(map(str, tensor.shape[1:]))}) {str(tensor.dtype).removeprefix('torch.')}"
        if words.split(":")[0] != found:
            raise ValueError(f"the network gives {found}, metadata say {words}")


CHECKS: dict[str, Callable[[Path], str]] = {"weights": weights, "configs": configs, "network": network}


def _workflow(root: Path, config: str) -> ConfigWorkflow:
    file = str(root / "configs" / f"{config}.json")
    return create_workflow(config_file=file, workflow_type=KINDS[config], device="cpu", bundle_root=str(root))


def outcome(check: Callable[[Path], str], root: Path) -> tuple[str, str]:
    """Status and what was found: the check's own words, or the innermost cause of its failure in one line."""
    try:
        return "ok", check(root)
    except Exception as failure:
        error: BaseException = failure
        while error.__cause__ is not None:
            error = error.__cause__
        return "failed", " ".join(f"{type(error).__name__}: {error}".split())


def main() -> None:
    warnings.simplefilter("ignore")
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        for name, check in CHECKS.items():
            status, found = outcome(check, Path(sys.argv[1]))
            print(json.dumps({"check": name, "status": status, "found": found}), file=file, flush=True)
            if status == "failed":
                return


if __name__ == "__main__":
    main()
