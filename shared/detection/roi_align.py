"""Features of regions of interest, from the level of a pyramid that fits their size; 2D and 3D in one code path."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def roi_align(
    maps: Sequence[Tensor], boxes: Tensor, *, strides: Sequence[int], size: int, sampling: int = 1, finest: float = 28.0
) -> Tensor:
    """The features of each box in `size` bins along each axis: (B, R, C, *[size] * D) of boxes (B, R, 2 D).

    maps: (B, C, *S / stride), one a stride, finest first. boxes: corners in pixels along the axes of S, within the
    image. A bin is the mean of `sampling` points along each axis, interpolated linearly; beyond the centres of the
    outermost cells the map is constant. finest: side in pixels below which a box is read from the first map.
    Source: He et al., Mask R-CNN, ICCV 2017, sec. 3 (RoIAlign), without its half-cell shift ("aligned"); the level is
    that of Lin et al., Feature Pyramid Networks, CVPR 2017, eq. 1.
    """
    level = assign_level(boxes, count=len(maps), finest=finest)
    rows = torch.cat([m.flatten(2).transpose(1, 2) for m in maps], dim=1)  # (B, N, C): all cells of all maps
    shapes = torch.tensor([list(m.shape[2:]) for m in maps], device=boxes.device)
    cells = [m[0, 0].numel() for m in maps]
    starts = torch.tensor([sum(cells[:i]) for i in range(len(maps))], device=boxes.device)
    first = starts[level] + rows.shape[1] * torch.arange(boxes.shape[0], device=boxes.device)[:, None]
    cell_boxes = boxes / torch.tensor(strides, device=boxes.device, dtype=boxes.dtype)[level][..., None]
    index, weights = _points(cell_boxes, shapes[level], first, size, sampling)
    pooled = weighted_rows(rows.flatten(0, 1), index, weights)
    return pooled.reshape(*boxes.shape[:2], *[size] * (maps[0].ndim - 2), -1).movedim(-1, 2)


def crop_masks(ids: Tensor, boxes: Tensor, wanted: Tensor, *, size: int) -> Tensor:
    """How much of each part of boxes (B, R, 2 D) shows the id `wanted`, (B, R): (B, R, *[size] * D), from 0 to 1.

    ids: (B, 1, *S). A part's value is that of its centre, between the centres of pixels, as `roi_align` has it.
    """
    shape = torch.tensor(ids.shape[2:], device=ids.device).expand(*boxes.shape[:2], -1)
    first = ids[0].numel() * torch.arange(len(boxes), device=boxes.device)[:, None].expand(boxes.shape[:2])
    index, weights = _points(boxes, shape, first, size, 1)
    shown = (ids.flatten()[index] == wanted.flatten().repeat_interleave(size ** (ids.ndim - 2))[:, None]) * weights
    return shown.sum(dim=1).reshape(*boxes.shape[:2], *[size] * (ids.ndim - 2))


def assign_level(boxes: Tensor, *, count: int, finest: float) -> Tensor:
    """The map (..., 0 to count - 1) for boxes (..., 2 D): one coarser for each doubling of the side from `finest`."""
    low, high = boxes.chunk(2, dim=-1)
    side = (high - low).clamp(min=1e-3).prod(dim=-1) ** (1 / low.shape[-1])
    return (torch.log2(side / finest) + 1).floor().clamp(0, count - 1).long()


def weighted_rows(rows: Tensor, index: Tensor, weights: Tensor) -> Tensor:
    """Sums (M, C) of the rows (N, C) that `index` (M, K) names, each times its weight (M, K)."""
    if torch.compiler.is_exporting():  # ONNX has no such bags; torch's take a seventh of the gather's time
        return (rows[index] * weights.to(rows.dtype)[..., None]).sum(dim=1)
    return F.embedding_bag(index, rows, per_sample_weights=weights.to(rows.dtype), mode="sum")


def _points(boxes: Tensor, shapes: Tensor, first: Tensor, size: int, sampling: int) -> tuple[Tensor, Tensor]:
    """The cells that make up each bin, and their weights: twice (B R size^D, (2 · sampling)^D).

    boxes: (B, R, 2 D) in cells of a grid of the sizes `shapes`, (B, R, D), whose cells are rows from `first`, (B, R).
    """
    dims = shapes.shape[-1]
    index = first.reshape(-1, *[1] * (2 * dims))  # (B R, bins along each axis, cells along each axis)
    weights = boxes.new_ones(()).expand(index.shape)
    pitch = torch.ones_like(shapes[..., 0])  # rows from one cell to the next along the axis
    for axis in reversed(range(dims)):
        places, shares = _along_axis(boxes[..., axis], boxes[..., dims + axis], shapes[..., axis], size, sampling)
        view = [1] * (2 * dims)
        view[axis], view[dims + axis] = size, 2 * sampling
        index = index + (places * pitch[..., None, None]).reshape(-1, *view)
        weights = weights * shares.reshape(-1, *view)
        pitch = pitch * shapes[..., axis]
    cells = (2 * sampling) ** dims
    return index.reshape(-1, cells), weights.reshape(-1, cells)


def _along_axis(low: Tensor, high: Tensor, length: Tensor, size: int, sampling: int) -> tuple[Tensor, Tensor]:
    """The cells on both sides of each point of each bin, and their shares of it: twice (B, R, size, 2 · sampling)."""
    points = (torch.arange(size * sampling, device=low.device, dtype=low.dtype) + 0.5) / (size * sampling)
    last = (length - 1)[..., None]
    at = low[..., None] + points * (high - low)[..., None] - 0.5  # the centre of the first cell is at 0.5
    at = torch.minimum(at.clamp(min=0), last.to(at.dtype))
    before = at.detach().floor()
    share = at - before
    places = torch.stack([before.long(), torch.minimum(before.long() + 1, last)], dim=-1)
    shares = torch.stack([1 - share, share], dim=-1) / sampling
    return places.unflatten(2, (size, sampling)).flatten(3), shares.unflatten(2, (size, sampling)).flatten(3)
