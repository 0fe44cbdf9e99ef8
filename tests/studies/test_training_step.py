"""What a step of training takes is counted right, and of a bundle's own configs."""

from pathlib import Path

import torch

from shared.studies.networks import family
from shared.studies.training_step import AliveTensors, peak_bytes, training_step

STEP = {"patch_size": [32, 32], "batch_size": 2}


def test_tensors_count_until_they_are_gone() -> None:
    with AliveTensors() as alive:
        image = torch.zeros(250)  # 1,000 bytes
        doubled = image * 2
        view = doubled[:5]
        del image, doubled
        more = torch.zeros(500)
    assert alive.peak == 1000 + 2000  # the view still holds what it is of
    assert view.numel() + more.numel() == 505


def test_a_step_of_a_linear_layer_holds_weights_gradients_and_moments() -> None:
    """4 bytes each of 1,000 weights, gradients, the two moments of AdamW and the image; what else there is is small."""
    layer = torch.nn.Linear(1000, 1, bias=False, device="meta")
    optimizer, image = torch.optim.AdamW(layer.parameters()), torch.zeros(1, 1000, device="meta")

    def step() -> None:
        optimizer.zero_grad()
        layer(image).sum().backward()
        optimizer.step()

    assert 5 * 4000 <= peak_bytes(step) <= 8 * 4000  # and up to three temporary ones of the optimiser


def test_a_step_of_a_bundle_is_counted_and_run(root: Path) -> None:
    config = root / "bundles" / "membrane_em_segmentation" / "configs" / "train.json"
    network = family(2, filters=4)["unet"]
    counted = [
        peak_bytes(training_step(config, network, STEP | options, device="meta"))
        for options in ({}, {"checkpointing": True}, {"batch_size": 4})
    ]
    assert counted[1] < counted[0] < counted[2]
    training_step(config, network, STEP)()
