"""Tiramisu's blocks are dense, and only their new maps go up."""

import torch

from shared.nets.tiramisu import LAYERS, DenseBlock, Tiramisu


def test_each_layer_of_a_block_sees_the_input_and_all_layers_before_it() -> None:
    block = DenseBlock(2, 3, filters=8)
    widths = [layer.get_submodule("2").get_parameter("weight").shape[1] for layer in block.layers]
    assert widths == [3, 5, 7, 9]
    image = torch.rand(2, 3, 9, 9)
    assert block(image).shape == (2, 8, 9, 9)
    first = block.layers[0](image)
    torch.testing.assert_close(block(image)[:, :2], first)  # the input itself is not among what it gives


def test_a_width_that_does_not_divide_is_rounded_up() -> None:
    assert DenseBlock(2, 1, filters=10).out_channels == 12 == LAYERS * 3


def test_maps_pile_up_on_the_way_down_and_not_on_the_way_up() -> None:
    network = Tiramisu(2, 1, 2, filters=[4, 8, 16])
    downs = [down.get_submodule("2").get_parameter("weight").shape[0] for down in network.downs]
    assert downs == [4 + 4, 4 + 4 + 8]  # the stem's, and what each block adds
    assert [up.get_parameter("weight").shape[0] for up in network.ups] == [16, 8]  # what the block below adds
