import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from shared.nets.voxelmorph import VoxelMorph
from shared.spatial.warping import warp
from shared.tasks.registration.ncc import ncc_loss
from shared.tasks.registration.optimising import CoarseToFine, Nodeo, descend

LEVELS = [
    {"image_stride": 2, "velocity_stride": 4, "window": 5, "steps": 15, "learning_rate": 0.3},
    {"image_stride": 1, "velocity_stride": 2, "window": 9, "steps": 15, "learning_rate": 0.3},
]
BOTH = {"2": LEVELS, "3": LEVELS}


def shifted_pair(size: tuple[int, ...], seed: int = 0, shift: int = 2) -> Tensor:
    """A smooth picture, black at its border, and itself `shift` voxels further along the first axis."""
    torch.manual_seed(seed)
    coarse = F.pad(torch.rand(1, 1, *[s // 6 for s in size]), [1, 1] * len(size))
    image = F.interpolate(coarse, size=size, mode="bilinear" if len(size) == 2 else "trilinear", align_corners=True)
    return torch.cat([image, image.roll(shift, dims=2)], dim=1)


@pytest.mark.parametrize("size", [(40, 36), (24, 20, 22)])
def test_a_shift_is_found(size: tuple[int, ...]) -> None:
    with torch.no_grad():
        displacement = CoarseToFine(BOTH)(shifted_pair(size))
    assert displacement.shape == (1, len(size), *size)
    core = (0, slice(None), *[slice(6, -6)] * len(size))
    # The fixed voxel x shows what the moving image has at x - 2; smoothness keeps it from being exact everywhere.
    assert float(displacement[core][0].mean()) == pytest.approx(-2, abs=0.4)
    assert float(displacement[core][1:].abs().mean()) < 0.3


@pytest.mark.parametrize("size", [(40, 36), (24, 20, 22)])
def test_a_shift_is_found_between_unlike_contrasts_by_what_suits_them(size: tuple[int, ...]) -> None:
    """What is darkest and what is brightest in the moving image are equally bright in the fixed one."""
    moving, fixed = shifted_pair(size).split(1, dim=1)
    pair = torch.cat([moving, (2 * fixed - 1).abs()], dim=1)
    core = (0, slice(None), *[slice(6, -6)] * len(size))
    missed = {}
    for similarity in ("mind", "mi", "ncc"):
        with torch.no_grad():
            found = CoarseToFine(BOTH, similarity=similarity)(pair)[core]
        missed[similarity] = max(abs(float(found[0].mean()) + 2), float(found[1:].abs().mean()))
    assert max(missed["mind"], missed["mi"]) < 0.5 < missed["ncc"] - 0.3  # voxels


def test_pairs_of_a_batch_do_not_see_one_another() -> None:
    """The loss is a mean over the batch: what a pair's neighbour is like leaves its gradient as it is."""
    pair, one, other = (shifted_pair((32, 30), seed) for seed in (0, 1, 2))
    with torch.no_grad():
        method = CoarseToFine(BOTH, patience=1000)
        beside_one, beside_other = (method(torch.cat([pair, neighbour]))[0] for neighbour in (one, other))
    torch.testing.assert_close(beside_one, beside_other, rtol=0, atol=1e-3)


def half_of(pair: Tensor, size: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """The pair whose moving image is black in its first half, without and with a channel that tells so."""
    inside = torch.ones(1, 1, *size)
    inside[:, :, : size[0] // 2] = 0
    part = torch.cat([pair[:, :1] * inside, pair[:, 1:]], dim=1)
    return part, torch.cat([part, inside], dim=1)


METHODS = {
    "fast": CoarseToFine(BOTH),
    "warm": CoarseToFine(BOTH, start=VoxelMorph(2, filters=(8, 8, 8)).eval()),
    "paper": Nodeo(steps=100, window=9, smoothing_width=5),  # its first field is one drawn by chance
}


@pytest.mark.parametrize("name", list(METHODS))
def test_where_the_moving_image_is_not_nothing_counts(name: str) -> None:
    """It is the fixed one, cut in half: nothing is to be moved, though the whole does not look like the half."""
    size, method = (40, 36), METHODS[name]
    plain, told = half_of(shifted_pair(size, shift=0), size)
    other = told.clone()
    other[:, 1:2, : size[0] // 2 - 8] = torch.rand(size[0] // 2 - 8, size[1])  # what the fixed image shows elsewhere
    overlap = (0, slice(None), slice(size[0] // 2, None))
    with torch.no_grad():
        moved = [method(pair)[overlap].norm(dim=0).max() for pair in (plain, told, other)]
    assert moved[0] > 0.3  # without being told, the edge of the half is drawn to something
    assert max(moved[1:]) < moved[0] / 3


def test_a_half_is_moved_as_the_whole_is() -> None:
    size = (40, 36)
    pair = shifted_pair(size)
    _, told = half_of(pair, size)
    with torch.no_grad():
        whole, half = (CoarseToFine(BOTH)(p)[0, :, 24:-6, 6:-6] for p in (pair, told))
    assert float(half[0].mean()) == pytest.approx(float(whole[0].mean()), abs=0.3)  # of -2 voxels
    assert float(half[1].abs().mean()) < 0.3


@pytest.mark.parametrize("smoothing", ["average", "gaussian", "none"])
def test_the_published_method_makes_the_images_more_alike(smoothing: str) -> None:
    pair = shifted_pair((32, 36))
    method = Nodeo(steps=40, window=9, smoothing=smoothing, smoothing_width=5)
    with torch.no_grad():
        displacement = method(pair)
        before, after = (ncc_loss(warp(pair[:, :1], d), pair[:, 1:]) for d in (0 * displacement, displacement))
    assert float(after) < float(before) - 0.1
    with torch.no_grad():
        assert torch.equal(method(pair), displacement)  # the seed decides, whatever was drawn in between


def test_descending_ends_where_nothing_is_gained() -> None:
    x = torch.tensor([3.0], requires_grad=True)
    taken = descend(lambda: (x - 1).square().sum(), [x], steps=1000, learning_rate=0.1, patience=5, tolerance=1e-6)
    assert 20 < taken < 500  # two units at a tenth a step, and some swinging
    assert float(x.detach()) == pytest.approx(1, abs=0.1)  # no step is longer; the best one is kept
    assert descend(lambda: (x - 1).square().sum(), [x], steps=7, learning_rate=0.1) == 7


def test_a_gain_below_the_tolerance_is_none() -> None:
    x = torch.zeros(1, requires_grad=True)
    slowly = {"steps": 50, "learning_rate": 0.1, "patience": 5, "tolerance": 1e-3}
    # A step of Adam is a tenth: 1e-4 of this loss, which thus falls for ever; five of them gain half the tolerance.
    assert descend(lambda: 1e-3 * x.sum(), [x], **slowly) == 6  # type: ignore[arg-type]
    assert descend(lambda: 3e-3 * x.sum(), [x], **slowly) == 50  # type: ignore[arg-type]
