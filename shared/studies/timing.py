"""What is timed of a bundle's network, and what it costs."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.bundle import ConfigWorkflow, create_workflow
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from shared.engine.fusing import fused
from shared.engine.weights import load_weights


def open_config(config: Path, *, device: str = "cpu", **options: Any) -> ConfigWorkflow:
    """The workflow of a train.json or inference.json, of which MONAI logs nothing."""
    kind = "train" if config.stem == "train" else "infer"
    logging.disable(logging.WARNING)
    try:
        return create_workflow(
            config_file=str(config), workflow_type=kind, logging_file=False, device=device, **options
        )
    finally:
        logging.disable(logging.NOTSET)


def first_image(config: Path) -> Tensor:
    """The bundle's first sample as its network sees it: (1, C, *S)."""
    image: Tensor = open_config(config).dataset[0]["image"]
    return torch.from_numpy(image.numpy()[None].astype(np.float32))


def inference(
    config: Path, network_def: Mapping[str, Any], weights: Path, image: Tensor, *, folded: bool, bfloat16: bool
) -> Callable[[], None]:
    """What runs a network over `image` as the bundle does, its norms folded into its convolutions or not."""
    workflow = open_config(config, network_def=dict(network_def))
    network = load_weights(workflow.parser.get_parsed_content("network"), weights).eval()
    prepared, inferer = fused(network) if folded else network, workflow.parser.get_parsed_content("inferer")

    def run() -> None:
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            inferer(image, prepared)

    return run


def cost(config: Path, network_def: Mapping[str, Any], image: Tensor) -> tuple[float, int]:
    """GFLOP of `image`, in which a multiplication and an addition are two, and the number of parameters."""
    network = open_config(config, network_def=dict(network_def)).network_def.to("meta").eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(image.to("meta"))
    return counter.get_total_flops() / 1e9, sum(p.numel() for p in network.parameters())
