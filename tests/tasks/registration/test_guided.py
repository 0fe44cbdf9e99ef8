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
from tests.tasks.registration.test_inferer import CORE, blobs


def network() -> VoxelMorph:
    torch.manual_seed(0)
    return VoxelMorph(2, filters=(8, 8), guide=CoarseGuide(2, 5, filters=(8, 8))).eval()


def inferer(**options: Any) -> GuidedInferer:
    return GuidedInferer(similarity="ncc", tissues=[1, 2, 3, 4], window=9, smoothness=0.1, **options)


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


@pytest.mark.parametrize(("sign", "expected"), [(1, "ncc"), (-1, "mind")])
def test_contrasts_that_are_alike_are_compared_by_ncc_and_others_by_self_similarity(
    sign: int, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []

    class Recorded(guided.CoarseToFine):
        def __init__(self, *args: Any, **options: Any) -> None:
            taken.append(options["similarity"])
            super().__init__(*args, **options)

    monkeypatch.setattr(guided, "CoarseToFine", Recorded)
    monkeypatch.setattr(guided, "tissue_correlation", lambda *_: 0.9 * sign)
    made = inferer(refine_steps=1)
    made.similarity = "auto"
    with torch.no_grad():
        made(blobs(), network())
    assert taken == [expected]


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
