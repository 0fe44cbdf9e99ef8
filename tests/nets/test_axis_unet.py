"""A network whose levels halve some axes only takes images of any size."""

from pathlib import Path
from typing import Any

import pytest
import torch

from shared.nets.axis_unet import AxisUNet
from tests.running import assert_onnxruntime_agrees

THICK: dict[str, Any] = {
    "filters": [4, 6, 8],
    "strides": [[2, 2, 1], [2, 2, 2]],
    "kernels": [[3, 3, 1], [3, 3, 3], [3, 3, 3]],
}


@pytest.mark.parametrize("size", [(8, 8, 4), (9, 11, 3)])
def test_logits_have_the_size_of_the_image(size: tuple[int, ...]) -> None:
    network = AxisUNet(3, 2, 5, **THICK).eval()
    assert network(torch.rand(1, 2, *size)).shape == (1, 5, *size)


def test_what_is_halved_less_sees_less() -> None:
    """A voxel changes what lies within its reach: along the axis halved once, at 1 × 1 kernels first, that is less."""
    torch.manual_seed(0)
    network = AxisUNet(3, 1, 1, **THICK).eval()
    image = torch.rand(1, 1, 64, 64, 64)
    other = image.clone()
    other[..., 32, 32, 32] += 1
    with torch.no_grad():
        changed = (network(image) - network(other))[0, 0].abs() > 0
    reach = [int(changed.any(dim=[a for a in range(3) if a != axis]).sum()) for axis in range(3)]
    assert reach[0] == reach[1] > reach[2]


def test_levels_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(ValueError, match="expected three levels or more"):
        AxisUNet(2, 1, 2, filters=[4, 8], strides=[[2, 2]], kernels=[[3, 3], [3, 3]])


def test_onnxruntime_gives_what_torch_gives(tmp_path: Path) -> None:
    network = AxisUNet(2, 1, 3, filters=[4, 6, 8], strides=[[2, 2], [2, 2]], kernels=[[3, 3]] * 3).eval()
    with torch.no_grad():  # else all is near 0
        network.output_block.conv.conv.bias.fill_(2.0)
    assert_onnxruntime_agrees(network, (1, 21, 18), tmp_path, within=1e-4)


def test_cells_are_seen_by_their_channels_and_answered_voxel_by_voxel(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = AxisUNet(3, 1, 3, **THICK, cell=[2, 2, 1]).eval()
    assert network(torch.rand(1, 1, 17, 16, 5)).shape == (1, 3, 17, 16, 5)
    assert network.input_block.conv1.conv.in_channels == 4
    with torch.no_grad():
        network.output_block.conv.conv.bias.copy_(torch.arange(12.0))  # of class by class the voxels of a cell
        network.output_block.conv.conv.weight.zero_()
        logits = network(torch.rand(1, 1, 16, 16, 4))
    assert logits[0, 1, :2, :2, 0].tolist() == [[4, 5], [6, 7]]
    assert_onnxruntime_agrees(network, (1, 18, 16, 8), tmp_path, within=1e-4)
