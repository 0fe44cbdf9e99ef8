"""A volume sampled in slabs, one a thread, is the volume sampled at once, and so are its gradients."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from shared.spatial import sampling
from shared.spatial.sampling import places_of, sample, still_places, to_grid_units, to_voxels

SIZES = [(14, 15), (7, 8, 6), (7, 5, 9)]  # the last one's 315 voxels do not go into 4 equal slabs


@pytest.fixture(autouse=True)
def _the_threads_that_were() -> Iterator[None]:
    torch.manual_seed(0)
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def sampled(values: Tensor, places: Tensor, **options: str) -> list[Tensor]:
    """What is sampled, and the gradients of a weighted sum of it."""
    values, places = values.clone().requires_grad_(), places.clone().requires_grad_()
    found = sample(values, places, **options)
    (found * torch.linspace(-1, 1, found.numel()).reshape(found.shape)).sum().backward()
    assert values.grad is not None
    assert places.grad is not None
    return [found.detach(), values.grad, places.grad]


@pytest.mark.parametrize("padding", ["zeros", "border"])
@pytest.mark.parametrize("size", SIZES)
def test_slabs_change_neither_values_nor_gradients(
    size: tuple[int, ...], padding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    values, places = torch.rand(1, 3, *size), 2.4 * torch.rand(1, len(size), *size) - 1.2
    torch.set_num_threads(4)
    whole = sampled(values, places, padding=padding)
    monkeypatch.setattr(sampling, "POINTS_A_SLAB", 20)
    assert sampling._slabs(places) == 4
    for once, in_slabs in zip(whole, sampled(values, places, padding=padding)):
        # The slabs' gradients of the image are added up in another order: a few roundings of sums up to some 2.
        torch.testing.assert_close(in_slabs, once, rtol=0, atol=5e-7 * max(1, float(once.abs().max())))


def test_a_batch_one_thread_and_few_points_are_sampled_at_once() -> None:
    torch.set_num_threads(4)
    large = torch.zeros(1, 3, 40, 50, 60)
    assert sampling._slabs(large) == 4
    assert sampling._slabs(large.expand(2, -1, -1, -1, -1)) == 1
    assert sampling._slabs(large[:, :, :8, :8, :8]) == 1
    torch.set_num_threads(1)
    assert sampling._slabs(large) == 1


def test_an_exported_graph_holds_no_slabs_of_the_exporting_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    class Sampled(torch.nn.Module):
        def forward(self, values: Tensor, places: Tensor) -> Tensor:
            return sample(values, places)

    monkeypatch.setattr(sampling, "POINTS_A_SLAB", 20)
    torch.set_num_threads(4)
    inputs = (torch.rand(1, 1, 7, 8, 6), torch.rand(1, 3, 7, 8, 6))
    nodes = torch.export.export(Sampled(), inputs).graph.nodes
    (sampler,) = [node for node in nodes if "grid_sampler" in node.name]
    assert sampler.args[0].name == "values"
    assert torch.jit.trace(Sampled(), inputs)(*inputs).shape == (1, 1, 7, 8, 6)


@pytest.mark.parametrize("size", SIZES)
def test_the_places_of_a_displacement_are_the_still_ones_and_it_in_their_units(size: tuple[int, ...]) -> None:
    displacement = torch.randn(2, len(size), *size, dtype=torch.float64)
    units = to_grid_units(displacement)
    torch.testing.assert_close(places_of(displacement), still_places(displacement) + units)
    torch.testing.assert_close(to_voxels(units), displacement)
    assert float(places_of(torch.zeros(1, len(size), *size))[0, 0, ..., -1].min()) == 1  # x first, its last voxel at 1
