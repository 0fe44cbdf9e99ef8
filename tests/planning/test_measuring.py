"""Operations and memory of a step are counted, not guessed."""

import torch
from torch import nn

from shared.engine.recipe import component
from shared.planning.measuring import cost, free_memory, seconds, summed

CONVOLUTION = component("torch.nn.Conv2d", in_channels=2, out_channels=4, kernel_size=3, padding=1)


def test_the_operations_of_a_convolution_are_those_of_arithmetic() -> None:
    """Forward a multiplication and an addition for each of 3 × 3 × 2 × 4 weights and 10 × 12 pixels; as many for the
    gradient of the weights. The image needs none."""
    assert cost(CONVOLUTION, [1, 2, 10, 12]).operations == 2 * 2 * (3 * 3 * 2 * 4) * (10 * 12)


def test_what_is_kept_for_the_way_back_grows_with_the_batch() -> None:
    one, four = (cost(CONVOLUTION, [batch, 2, 64, 64]).kept_bytes for batch in (1, 4))
    assert 3.9 < four / one <= 4  # but for the weights, it is the image and what the convolution gives
    assert one >= 4 * (2 + 4) * 64 * 64


def test_a_step_takes_time_and_changes_nothing_outside() -> None:
    assert seconds(CONVOLUTION, [1, 2, 8, 8], torch.device("cpu")) > 0


def test_a_loss_touches_every_output() -> None:
    layers = [nn.Linear(2, 2), nn.Linear(2, 3)]
    summed({"one": layers[0](torch.ones(1, 2)), "others": [layers[1](torch.ones(1, 2))]}).backward()
    assert all(layer.weight.grad is not None for layer in layers)


def test_free_memory_is_less_than_there_is() -> None:
    assert 2**26 < free_memory(torch.device("cpu")) < 2**44
