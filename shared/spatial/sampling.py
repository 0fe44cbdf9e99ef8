"""Reading images at places between their voxels, on all threads that torch has.

Places are in grid units: -1 and 1 are the centres of the first and the last voxel, and x, the last axis, comes first.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

MODES = {"linear": "bilinear", "nearest": "nearest"}  # torch calls it bilinear in 3D, too
POINTS_A_SLAB = 30_000  # at least: a thread does them in about a millisecond, a hundred times what starting it takes


def sample(values: Tensor, places: Tensor, *, mode: str = "linear", padding: str = "zeros") -> Tensor:
    """`values` (B, C, *S) read at `places` (B, D, *T), in grid units: (B, C, *T).

    Outside the image is 0, or with padding "border" its nearest voxel. mode: one of MODES.
    torch shares out a batch over its threads, but not a volume; on a processor a single one is therefore sampled as a
    batch of slabs, each of a part of the places.
    """
    options: dict[str, Any] = {"mode": MODES[mode], "padding_mode": padding, "align_corners": True}
    slabs = _slabs(places)
    if slabs == 1:
        return F.grid_sample(values, places.movedim(1, -1), **options)
    points = places.flatten(2)
    points = F.pad(points, (0, -points.shape[-1] % slabs))
    grid = points.movedim(1, -1).reshape(slabs, *[1] * (places.shape[1] - 1), -1, places.shape[1])
    sampled = F.grid_sample(values.expand(slabs, *values.shape[1:]), grid, **options)  # the image is not copied
    sampled = sampled.flatten(2).movedim(0, 1).flatten(1)[:, : places[0, 0].numel()]
    return sampled.reshape(1, values.shape[1], *places.shape[2:])


def _slabs(places: Tensor) -> int:
    """Into how many slabs places (B, D, *T) go: one where torch shares them out itself, or a graph is to be made."""
    is_traced = torch.compiler.is_compiling() or torch.jit.is_tracing()
    if is_traced or len(places) > 1 or places.device.type != "cpu":
        return 1
    return max(1, min(torch.get_num_threads(), places[0, 0].numel() // POINTS_A_SLAB))


def places_of(displacement: Tensor) -> Tensor:
    """The places (B, D, *S) to which a displacement (B, D, *S), in voxels of its own grid, leads."""
    scaled = [part + line for part, line in zip(_scaled(displacement), _lines(displacement))]
    return torch.stack(scaled[::-1], dim=1)


def still_places(image: Tensor) -> Tensor:
    """The places (1, D, *S) of the voxels of an image (B, C, *S)."""
    lines = [line.expand(1, *image.shape[2:]) for line in _lines(image)]
    return torch.stack(lines[::-1], dim=1)


def to_grid_units(displacement: Tensor) -> Tensor:
    """A displacement (B, D, *S) in voxels of its grid as one of places."""
    return torch.stack(_scaled(displacement)[::-1], dim=1)


def to_voxels(displacement: Tensor) -> Tensor:
    """The reverse of `to_grid_units`."""
    parts = displacement.unbind(1)[::-1]
    return torch.stack([part / _unit(size) for part, size in zip(parts, displacement.shape[2:])], dim=1)


def _scaled(displacement: Tensor) -> list[Tensor]:
    return [part * _unit(size) for part, size in zip(displacement.unbind(1), displacement.shape[2:])]


def _unit(size: int) -> float:
    """The length of a voxel, in grid units, along an axis of `size`."""
    return 2 / max(size - 1, 1)


def _lines(image: Tensor) -> list[Tensor]:
    """The coordinates of the voxels of (B, C, *S), by axis, each (1, …, S_i, …, 1), in grid units."""
    return [line * _unit(size) - 1 for line, size in zip(positions(image), image.shape[2:])]


def positions(image: Tensor) -> list[Tensor]:
    """The positions of the voxels of (B, C, *S), by axis, each (1, …, S_i, …, 1), in voxels.

    Made of one `arange` an axis, so that no grid of the image's size is stored in an exported graph.
    """
    lines = []
    for axis, size in enumerate(image.shape[2:]):
        shape = [1] * (image.ndim - 1)
        shape[axis + 1] = -1
        lines.append(torch.arange(size, device=image.device, dtype=image.dtype).reshape(shape))
    return lines
