"""A network with a guide over a pair, and on from there, by what suits the pair's contrasts."""

from typing import Any

import pytest
import torch
from torch import Tensor

from shared.errors import InputError
from shared.nets.voxelmorph import CoarseGuide, VoxelMorph
from shared.spatial.warping import compose, warp
from shared.tasks.registration import guided
from shared.tasks.registration.contrasts import tissue_correlation
from shared.tasks.registration.guided import GuidedInferer
from shared.tasks.registration.ncc import ncc_loss
from tests.tasks.registration.test_inferer import CORE, SIZE, blobs


def network() -> VoxelMorph:
    torch.manual_seed(0)
    return VoxelMorph(2, filters=(8, 8), guide=CoarseGuide(2, 5, filters=(8, 8))).eval()


def inferer(**options: Any) -> GuidedInferer:
    return GuidedInferer(
        similarity="ncc", tissues=[1, 2, 3, 4], tissue_of=[0, 1, 2, 3, 3], window=9, smoothness=0.1, **options
    )


def run(pair: Tensor, net: Any, **options: Any) -> Tensor:
    with torch.no_grad():
        return inferer(**options)(pair, net)


def test_without_steps_the_displacement_is_the_networks() -> None:
    net, pair = network(), blobs()
    assert torch.equal(run(pair, net, refine_steps=0), net(pair))


def test_the_usual_steps_make_images_more_alike_and_more_of_them_more_so() -> None:
    pair = blobs()
    losses = [float(ncc_loss(pair[:, :1], pair[:, 1:]))]
    for steps in (None, 40):
        moved = warp(pair[:, :1], run(pair, network(), refine_steps=steps))
        losses.append(float(ncc_loss(moved[CORE], pair[:, 1:][CORE])))
    assert losses[0] > losses[1] > losses[2]


def test_steps_at_half_the_resolution_lead_further(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = blobs()
    losses = []
    for steps in (0, guided.COARSE_STEPS):
        monkeypatch.setattr(guided, "COARSE_STEPS", steps)
        moved = warp(pair[:, :1], run(pair, network(), refine_steps=4))
        losses.append(float(ncc_loss(moved[CORE], pair[:, 1:][CORE])))
    assert losses[1] < losses[0] - 0.02


def test_the_way_back_leads_back() -> None:
    there, back = run(blobs(), network(), with_inverse=True).chunk(2, dim=1)
    assert float(there.abs().max()) > 0.5
    left = float(compose(there, back)[CORE].abs().mean())
    assert left < 0.15 * float(there[CORE].abs().mean())  # a field this rough is integrated no better in 2^7 steps


def test_another_runtime_gives_its_own_and_refuses_to_refine() -> None:
    def other(pair: Tensor) -> Tensor:
        return pair + 1

    pair = blobs()
    assert torch.equal(run(pair, other), pair + 1)
    assert torch.equal(run(pair, other, refine_steps=0), pair + 1)
    with pytest.raises(InputError, match="refine_steps"):
        run(pair, other, refine_steps=5)


def test_pairs_of_a_batch_are_refined_as_they_are_alone() -> None:
    net, pairs = network(), [blobs(), blobs(shift=3)]
    together = run(torch.cat(pairs), net, refine_steps=2)
    assert torch.equal(together, torch.cat([run(pair, net, refine_steps=2) for pair in pairs]))


def compared(pair: Tensor, monkeypatch: pytest.MonkeyPatch) -> tuple[str, list[int], Tensor]:
    """By which similarity `auto` refines a pair, in how many steps at each level, and what it compares of it."""
    taken = []

    class Recorded(guided.CoarseToFine):
        def refined(self, pair: Tensor, velocity: Tensor) -> Tensor:
            taken.append((self.similarity, [level.steps for level in self.levels["2"]], pair))
            return super().refined(pair, velocity)

    monkeypatch.setattr(guided, "CoarseToFine", Recorded)
    made = inferer(refine_steps=2)
    made.similarity = "auto"
    with torch.no_grad():
        made(pair, network())
    (found,) = taken
    return found


def test_images_of_like_contrasts_are_compared_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guided, "tissue_correlation", lambda *_: 0.9)
    pair = blobs()
    similarity, steps, seen = compared(pair, monkeypatch)
    assert (similarity, steps) == ("ncc", [4, 2])
    assert torch.equal(seen, pair)


def test_images_of_unlike_contrasts_are_compared_by_self_similarity_and_in_one_contrast(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(guided, "in_one_contrast", lambda pair, _: pair + 1)
    pair = torch.cat([blobs(), torch.ones(1, 1, *SIZE)], dim=1)
    similarity, steps, seen = compared(pair, monkeypatch)
    assert (similarity, steps) == ("mind", [6, 1])
    moving, fixed, inside = pair.split(1, dim=1)
    assert torch.equal(seen, torch.cat([moving, moving + 1, fixed, fixed + 1, inside], dim=1))


def test_where_the_guide_finds_nothing_images_are_compared_by_self_similarity_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(guided, "in_one_contrast", lambda *_: None)
    pair = blobs()
    similarity, steps, seen = compared(pair, monkeypatch)
    assert (similarity, steps) == ("mind", [4, 2])
    assert torch.equal(seen, pair)


def test_tissues_are_those_of_the_images_and_of_the_mirrored_ones() -> None:
    """Classes 3 and 4 are one tissue, such as the sides of a structure."""
    net, pair = network(), blobs()
    with torch.no_grad():
        plain, mirrored = (guided._maps(net.segmented(x)) for x in (pair, pair.flip(2)))
        found = inferer()._tissues(pair, plain, net)
    mean = (plain + mirrored.flip(2)) / 2
    torch.testing.assert_close(found, torch.cat([mean[:, :3], mean[:, 3:].sum(dim=1, keepdim=True)], dim=1))


def test_tissues_that_are_brighter_in_one_order_in_both_images_correlate() -> None:
    classes = torch.arange(5).repeat_interleave(32).reshape(1, 20, 8)
    maps = torch.stack([classes == k for k in range(5)], dim=1).float().expand(2, -1, -1, -1)
    first = classes.float() / 4
    pairs = {"like": 0.2 + first / 2, "unlike": 1 - first}
    found = {
        name: tissue_correlation(torch.stack([first, other], 1), maps, [1, 2, 3, 4]) for name, other in pairs.items()
    }
    assert found == {"like": pytest.approx(1), "unlike": pytest.approx(-1)}
    assert tissue_correlation(torch.stack([first, first], 1), maps, [1, 2]) == 0  # two points always lie on a line
