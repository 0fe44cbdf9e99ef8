from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor

from shared.detection.roi_align import assign_level, crop_masks, roi_align

SIZES = {2: (40, 32), 3: (24, 16, 20)}


def random_boxes(count: int, size: tuple[int, ...], seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    corners = torch.rand(1, count, 2, len(size), generator=generator, dtype=dtype) * torch.tensor(size)
    return torch.cat([corners.amin(dim=2), corners.amax(dim=2)], dim=-1)


def random_maps(size: tuple[int, ...], strides: tuple[int, ...], channels: int = 3, batch: int = 1) -> list[Tensor]:
    torch.manual_seed(1)
    return [torch.rand(batch, channels, *(s // stride for s in size), dtype=torch.float64) for stride in strides]


def interpolated(grid: np.ndarray, at: np.ndarray) -> np.ndarray:
    """(C) of (C, *S) at a point in cells, whose centres are at 0.5, 1.5, …: the corners' mean, by hand."""
    at = np.clip(at - 0.5, 0, np.array(grid.shape[1:]) - 1)
    value = np.zeros(len(grid))
    for corner in product((0, 1), repeat=len(at)):
        cell = np.minimum(np.floor(at).astype(int) + corner, np.array(grid.shape[1:]) - 1)
        share = np.prod(np.where(corner, at - np.floor(at), 1 - (at - np.floor(at))))
        value += share * grid[(slice(None), *cell.tolist())]
    return value


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("sampling", [1, 2])
def test_each_bin_is_the_mean_of_its_points_found_by_brute_force(dims: int, sampling: int) -> None:
    size, strides, bins = SIZES[dims], (2, 4), 3
    maps, boxes = random_maps(size, strides), random_boxes(8, size)
    given = roi_align(maps, boxes, strides=strides, size=bins, sampling=sampling, finest=8)[0].numpy()
    levels = assign_level(boxes, count=2, finest=8)[0].tolist()
    assert set(levels) == {0, 1}
    for number, (box, level) in enumerate(zip(boxes[0].numpy(), levels)):
        low, high = box[:dims] / strides[level], box[dims:] / strides[level]
        for place in product(range(bins), repeat=dims):
            points = [
                low + (np.array(place) + (np.array(sub) + 0.5) / sampling) / bins * (high - low)
                for sub in product(range(sampling), repeat=dims)
            ]
            expected = np.mean([interpolated(maps[level][0].numpy(), point) for point in points], axis=0)
            np.testing.assert_allclose(np.moveaxis(given[number], 0, -1)[place], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("sampling", [1, 2, 3])
def test_of_a_constant_it_is_the_constant_and_of_a_ramp_the_ramp_at_the_middle_of_each_bin(sampling: int) -> None:
    """A bin's points lie evenly around its middle, and what is linear in both axes is linear in between."""
    strides = (2, 4)
    axes = [(torch.arange(64 // s, dtype=torch.float64) + 0.5) * s for s in strides]  # in pixels
    maps = [
        torch.stack([torch.full((len(a), len(a)), 7.0), a[:, None] + 0 * a, 0 * a[:, None] + a])[None] for a in axes
    ]
    boxes = torch.tensor([[[5.0, 9.5, 21.0, 30.25], [8.25, 6.0, 58.5, 60.0]]], dtype=torch.float64)
    assert assign_level(boxes, count=2, finest=28).tolist() == [[0, 1]]
    given = roi_align(maps, boxes, strides=strides, size=5, sampling=sampling, finest=28)[0]
    for of_box, (r1, c1, r2, c2) in zip(given, boxes[0].tolist()):
        middles = (torch.arange(5, dtype=torch.float64) + 0.5) / 5
        rows, columns = r1 + middles * (r2 - r1), c1 + middles * (c2 - c1)
        torch.testing.assert_close(of_box[0], torch.full((5, 5), 7.0, dtype=torch.float64), rtol=0, atol=1e-12)
        torch.testing.assert_close(of_box[1], rows[:, None].expand(5, 5), rtol=0, atol=1e-12)
        torch.testing.assert_close(of_box[2], columns.expand(5, 5), rtol=0, atol=1e-12)


def test_in_3d_a_volume_that_is_constant_along_an_axis_gives_what_the_plane_gives() -> None:
    (plane,) = random_maps((40, 32), (2,))
    volume = plane[..., None].expand(-1, -1, -1, -1, 9)
    box = random_boxes(5, (40, 32))
    deep = torch.cat([box[..., :2], torch.full((1, 5, 1), 3.0), box[..., 2:], torch.full((1, 5, 1), 11.0)], dim=-1)
    flat = roi_align([plane], box, strides=(2,), size=4, sampling=2)
    given = roi_align([volume], deep, strides=(2,), size=4, sampling=2)
    torch.testing.assert_close(given, flat[..., None].expand_as(given), rtol=0, atol=1e-12)


def test_each_image_of_a_batch_is_read_for_its_own_boxes() -> None:
    maps = random_maps((40, 32), (2, 4), batch=2)
    boxes = torch.cat([random_boxes(6, (40, 32), seed) for seed in (0, 1)])
    together = roi_align(maps, boxes, strides=(2, 4), size=3, finest=8)
    for i in range(2):
        alone = roi_align([m[i : i + 1] for m in maps], boxes[i : i + 1], strides=(2, 4), size=3, finest=8)
        torch.testing.assert_close(together[i : i + 1], alone)


def test_a_region_is_read_from_a_map_coarser_by_one_for_each_doubling_of_its_side() -> None:
    sides = torch.tensor([1.0, 13.9, 14.0, 27.9, 28.0, 55.9, 56.0, 300.0])
    boxes = torch.stack([0 * sides, 0 * sides, sides, sides], dim=1)
    assert assign_level(boxes, count=4, finest=28).tolist() == [0, 0, 0, 0, 1, 1, 2, 3]
    flat = torch.tensor([[0.0, 0, 14, 56]])  # of the area of a square of 28
    assert assign_level(flat, count=4, finest=28).tolist() == [1]


@pytest.mark.parametrize("dims", [2, 3])
def test_the_gradient_is_that_of_finite_differences(dims: int) -> None:
    size = tuple(s // 4 for s in SIZES[dims])
    maps = [m.requires_grad_() for m in random_maps(size, (1, 2), channels=2)]
    boxes = random_boxes(3, size).requires_grad_()

    def align(boxes: Tensor, *maps: Tensor) -> Tensor:
        return roi_align(maps, boxes, strides=(1, 2), size=2, sampling=2, finest=4)

    assert torch.autograd.gradcheck(align, (boxes, *maps), eps=1e-6, atol=1e-6)


def test_what_is_exported_computes_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    maps, boxes = random_maps((40, 32), (2, 4)), random_boxes(8, (40, 32))
    expected = roi_align(maps, boxes, strides=(2, 4), size=3, sampling=2, finest=8)
    monkeypatch.setattr(torch.compiler, "is_exporting", lambda: True)
    torch.testing.assert_close(roi_align(maps, boxes, strides=(2, 4), size=3, sampling=2, finest=8), expected)


def test_a_mask_is_cut_out_of_the_ids_as_features_are_out_of_a_map() -> None:
    ids = torch.zeros(1, 1, 30, 40, dtype=torch.int32)
    ids[0, 0, 5:20, 8:30], ids[0, 0, 12:25, 25:38] = 1, 2
    boxes = random_boxes(6, (30, 40))
    wanted = torch.tensor([[1, 2, 1, 2, 1, 3]])
    given = crop_masks(ids, boxes, wanted, size=7)
    for number, identity in enumerate(wanted[0].tolist()):
        mask = (ids == identity).double()
        expected = roi_align([mask], boxes[:, number : number + 1], strides=(1,), size=7)[0, 0, 0]
        torch.testing.assert_close(given[0, number].double(), expected, rtol=0, atol=1e-12)
