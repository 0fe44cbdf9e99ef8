import pytest
import torch

from shared.layers.residual import ResidualLevels


@pytest.mark.parametrize("dims", [2, 3])
def test_every_level_is_given_at_half_the_resolution_of_the_one_before(dims: int) -> None:
    net = ResidualLevels(dims, 3, filters=(8, 16, 24), repeats=(1, 2, 1))
    maps = net(torch.rand(2, 3, *(32, 48, 16)[:dims]))
    for level, (m, width) in enumerate(zip(maps, (8, 16, 24)), start=1):
        assert m.shape == (2, width, *(s >> level for s in (32, 48, 16)[:dims]))


def test_an_image_gives_the_same_alone_and_among_others_in_training_too() -> None:
    """No statistics are shared by a batch, so that a batch of one trains as well."""
    torch.manual_seed(0)
    net = ResidualLevels(2, 3, filters=(8, 16), repeats=(1, 1)).train()
    images = torch.rand(4, 3, 32, 32) * torch.tensor([1.0, 5.0, 0.1, 20.0])[:, None, None, None]
    # The same sums in another order, in float32, of values around 1.
    for together, alone in zip(net(images), net(images[1:2])):
        torch.testing.assert_close(together[1:2], alone, rtol=0, atol=1e-4)
    assert not [m for m in net.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
