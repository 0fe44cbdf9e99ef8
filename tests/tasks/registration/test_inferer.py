"""A network once over a pair, and on from there for the pair at hand."""

from functools import partial
from typing import Any

import pytest
import torch
from scipy import ndimage
from torch import Tensor

from shared.nets.voxelmorph import VoxelMorph
from shared.spatial.warping import compose, warp
from shared.tasks.registration.inferer import USUAL_STEPS, RegistrationInferer, prepare_extended
from shared.tasks.registration.losses import RegistrationLoss
from shared.tasks.registration.ncc import ncc_loss

SIZE = (32, 28)
CORE: Any = (..., slice(6, -6), slice(6, -6))
LOSS = RegistrationLoss(partial(ncc_loss, window=9), smoothness=0.1)


@pytest.fixture(autouse=True)
def _same_numbers_each_time() -> None:
    torch.manual_seed(0)


def network(dims: int = 2, *, bent: bool = False) -> VoxelMorph:
    """The identity; or, `bent`, one whose last layer has weights."""
    made = VoxelMorph(dims, filters=(8, 8, 8)).eval()
    if bent:
        torch.nn.init.normal_(made.unet.heads.get_parameter("0.weight"), std=0.3)
    return made


def blobs(shift: int = 2) -> Tensor:
    """A smooth pair (1, 2, *SIZE) whose moving image shows at x + shift what the fixed one shows at x."""
    picture = torch.as_tensor(ndimage.gaussian_filter(torch.randn(SIZE[0] + shift, SIZE[1]).numpy(), 2.5))
    picture = (picture - picture.amin()) / (picture.amax() - picture.amin())
    return torch.stack([picture[: SIZE[0]], picture[shift:]])[None]


def run(pair: Tensor, net: VoxelMorph, **options: Any) -> Tensor:
    with torch.no_grad():
        return RegistrationInferer(LOSS, **options)(pair, net)


def loss_of(velocity: Tensor, pair: Tensor, net: VoxelMorph) -> float:
    there, back = (net.displacement(sign * velocity, pair.shape[2:]) for sign in (1, -1))
    return float(LOSS({"velocity": velocity, "there": there, "back": back}, {"image": pair}))


@pytest.mark.parametrize("size", [(20, 27), (9, 13, 8)])
def test_without_steps_the_displacement_is_the_networks(size: tuple[int, ...]) -> None:
    net, pair = network(len(size), bent=True), torch.rand(2, 2, *size)
    assert torch.equal(run(pair, net), net(pair))


def test_where_none_are_asked_for_torch_takes_the_usual_steps_and_another_runtime_none() -> None:
    pair, net = blobs(), network()
    usual = run(pair, net, refine_steps=None)
    assert torch.equal(usual, run(pair, net, refine_steps=USUAL_STEPS))
    assert not torch.equal(usual, net(pair))
    assert torch.equal(RegistrationInferer(LOSS, refine_steps=None)(pair, lambda image: image + 1), pair + 1)


def test_with_the_inverse_what_leads_back_follows_what_leads_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a velocity that is smooth at half the resolution: up to 2 of its voxels in waves as long as the image."""
    rows, columns = (torch.linspace(0, 2 * torch.pi, s // 2) for s in SIZE)
    waves = torch.stack([2 * rows.sin()[:, None] * columns.cos(), 2 * rows.cos()[:, None] * columns.sin()])[None]
    net, pair = network(), blobs()
    monkeypatch.setattr(net, "guided", lambda pair: {"velocity": waves})
    both = run(pair, net, with_inverse=True)
    assert both.shape == (1, 4, *SIZE)
    there, back = both.chunk(2, dim=1)
    assert torch.equal(there, run(pair, net))
    missed = float(compose(there, back)[CORE].abs().mean() / there[CORE].abs().mean())
    # What is left is what straight lines between voxels of half the resolution cut off of the waves, a tenth at their
    # crests of 14 voxels; there with another sign misses by several times that.
    assert missed < 0.1
    assert float((there + back)[CORE].abs().mean() / there[CORE].abs().mean()) > 3 * missed


def test_refining_the_identity_finds_the_shift_of_the_pair_at_hand() -> None:
    pair = blobs(2)
    there, back = run(pair, network(), refine_steps=40, with_inverse=True).chunk(2, dim=1)
    # In two voxels the smooth picture has no other likeness to fall for; at the border there is nothing to see.
    assert float((there[:, 0] - 2)[CORE].abs().mean()) < 0.3
    assert float(there[:, 1][CORE].abs().mean()) < 0.3
    assert float(compose(there, back)[CORE].abs().mean()) < 0.1  # of 2 voxels, and smooth
    moving, fixed = pair[:, :1], pair[:, 1:]
    before, after = (-ncc_loss(x[CORE], fixed[CORE]) for x in (moving, warp(moving, there)))
    assert float(before) < 0.75
    assert float(after) > 0.95


def test_refinement_of_a_part_sees_nothing_outside_of_it() -> None:
    """The half of the fixed image: nothing is to be moved, whatever the network says and the other half shows."""
    picture = blobs(0)[:, 1:]
    inside = torch.ones_like(picture)
    inside[:, :, :16] = 0
    pair, net = torch.cat([picture * inside, picture], dim=1), network(bent=True)
    plain, told = (
        run(p, net, refine_steps=20)[:, :, 16:].norm(dim=1).max() for p in (pair, torch.cat([pair, inside], dim=1))
    )
    assert float(told) < min(0.2, float(plain) / 3)
    assert torch.equal(run(torch.cat([pair, inside], dim=1), net), net(pair))  # the network has two channels


def test_a_batch_has_a_third_channel_only_where_its_moving_image_is_a_part() -> None:
    pair, inside = torch.rand(1, 2, *SIZE), torch.ones(1, 1, *SIZE)
    whole, _ = prepare_extended({"image": pair})
    part, _ = prepare_extended({"image": pair, "inside": inside})
    assert torch.equal(whole, pair)
    assert torch.equal(part, torch.cat([pair, inside], dim=1))


def test_each_step_of_refinement_lowers_the_loss_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    net, pair = network(), blobs(2)
    seen: list[Tensor] = []
    displacement = net.displacement

    def displacement_seen(velocity: Tensor, size: Any) -> Tensor:
        seen.append(velocity)
        return displacement(velocity, size)

    monkeypatch.setattr(net, "displacement", displacement_seen)
    losses = []
    for steps in (0, 5, 20):
        run(pair, net, refine_steps=steps)
        losses.append(loss_of(seen[-1].detach(), pair, net))
    assert losses[0] > losses[1] > losses[2]


def test_the_learning_rate_is_in_voxels_of_the_velocitys_grid() -> None:
    # Adam's first step is of its learning rate, whatever the gradient; half the resolution doubles it, about.
    there = run(blobs(2), network(), refine_steps=1, learning_rate=0.05)
    assert float(there.abs().max()) == pytest.approx(0.05 * 31 / 15, rel=0.05)


def test_an_anchor_keeps_the_field_near_the_networks() -> None:
    net, pair = network(bent=True), blobs(2)
    free, held = (run(pair, net, refine_steps=25, learning_rate=0.01, anchor=anchor) - net(pair) for anchor in (0, 1e4))
    # Adam's steps are of the learning rate at first, anchor or not; what is left of them is below it.
    assert float(held.abs().mean()) < 0.01
    assert float(free.abs().mean()) > 10 * float(held.abs().mean())


@pytest.mark.parametrize("anchor", [0.0, 1.0])
def test_refinement_leaves_the_network_as_it_was_and_its_result_without_a_graph(anchor: float) -> None:
    net = network(bent=True)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    there = run(blobs(2), net, refine_steps=3, anchor=anchor)
    assert not there.requires_grad
    assert not torch.equal(there, net(blobs(2)))
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert all(parameter.grad is None for parameter in net.parameters())


def test_refinement_is_the_same_where_gradients_are_recorded() -> None:
    net, pair = network(bent=True), blobs(2)
    expected = run(pair, net, refine_steps=3, anchor=1.0)
    torch.testing.assert_close(RegistrationInferer(LOSS, refine_steps=3, anchor=1.0)(pair, net), expected)
    assert all(parameter.grad is None for parameter in net.parameters())


@pytest.mark.parametrize("steps", [0, 2])
def test_the_network_computes_in_bfloat16_where_that_is_wanted_and_native(
    monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    monkeypatch.setattr("shared.engine.inferers.computes_in_bfloat16", lambda device: True)
    net, pair = network(bent=True), blobs(2)
    exact, rounded = (run(pair, net, refine_steps=steps, bfloat16=wanted) for wanted in (False, True))
    assert (exact.dtype, rounded.dtype) == (torch.float32, torch.float32)
    assert not torch.equal(exact, rounded)
    # bfloat16 has 8 bits: some percent after the layers of the network, of displacements of a voxel.
    assert float((exact - rounded).abs().mean()) < 0.1 * float(exact.abs().mean())
