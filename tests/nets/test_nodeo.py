import pytest
import torch

from shared.layers.smoothing import Smoothing
from shared.nets.nodeo import NodeoVelocity
from shared.spatial.warping import voxel_coordinates


def at_rest(size: tuple[int, ...]) -> torch.Tensor:
    dims = len(size)
    return torch.stack(torch.broadcast_tensors(*voxel_coordinates(torch.zeros(1, dims, *size))), dim=1)


@pytest.mark.parametrize("size", [(20, 27), (160, 192), (9, 13, 8), (33, 20, 41)])
def test_images_of_any_size_get_a_velocity_at_every_voxel(size: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    network = NodeoVelocity(len(size), size, smoothing=Smoothing("average", 3))
    velocity = network(torch.zeros(()), at_rest(size))
    assert velocity.shape == (1, len(size), *size)
    assert float(velocity.abs().max()) > 0


def test_the_velocity_depends_on_where_the_voxels_are() -> None:
    torch.manual_seed(0)
    network, positions = NodeoVelocity(2, (32, 40)), at_rest((32, 40))
    moved = positions + 5 * torch.rand(1, 2, 1, 1)
    time = torch.zeros(())
    assert not torch.allclose(network(time, positions), network(time, moved))


def test_velocities_are_in_voxels() -> None:
    """The same numbers of the network are twice as many voxels along an axis that is twice as long."""
    torch.manual_seed(0)
    network = NodeoVelocity(2, (32, 64), smoothing=Smoothing("none"))
    torch.nn.init.zeros_(network.unfold.weight)
    torch.nn.init.constant_(network.unfold.bias, 0.25)
    velocity = network(torch.zeros(()), at_rest((32, 64)))
    # From -1 to 1 are 32 and 64 voxels, so that a quarter is an eighth of them.
    torch.testing.assert_close(velocity[:, 0], torch.full((1, 32, 64), 4.0))
    torch.testing.assert_close(velocity[:, 1], torch.full((1, 32, 64), 8.0))
