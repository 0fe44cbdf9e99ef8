"""Displacement fields: moving images by them, chaining them, changing their resolution."""

from collections.abc import Callable, Sequence
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

from shared.layers.smoothing import box_sum
from shared.spatial.sampling import MODES, places_of, positions, sample, still_places, to_grid_units, to_voxels


def voxel_coordinates(displacement: Tensor) -> list[Tensor]:
    """Where each voxel of a displacement (B, D, *S) points to: D tensors (B, *S), in voxels along each axis."""
    return [part + line for part, line in zip(displacement.unbind(1), positions(displacement))]


def warp(image: Tensor, displacement: Tensor, *, mode: str = "linear", padding: str = "zeros") -> Tensor:
    """Sample `image` where each output voxel was displaced to.

    image: (B, C, *S). displacement: (B, D, *S), D = len(S), in voxels; channel i moves along axis i (ij order).
    Returns (B, C, *S), float32; outside the image is 0, or with padding "border" its nearest voxel. A zero
    displacement returns `image` unchanged. mode: "linear" or "nearest", for labels.
    Raises ValueError with expected and given shape when they disagree, or for an unknown mode.
    Source: Jaderberg et al. 2015, sec. 3.3. Differs: align_corners=True, so -1 and 1 are voxel centres. Computed in
    float32 under autocast too: a coordinate near 200 has steps of 1 in bfloat16.
    """
    dims = image.ndim - 2
    if displacement.shape != (image.shape[0], dims, *image.shape[2:]):
        raise ValueError(
            f"expected a displacement {(image.shape[0], dims, *image.shape[2:])}, got {tuple(displacement.shape)}"
        )
    if mode not in MODES:
        raise ValueError(f"expected mode in {list(MODES)}, got {mode!r}")
    with torch.autocast(image.device.type, enabled=False):
        places = places_of(_at_least_float32(displacement))
        return sample(image.to(places.dtype), places, mode=mode, padding=padding)


def warp_by_gathering(image: Tensor, displacement: Tensor, *, padding: str = "zeros") -> Tensor:
    """As `warp`, linear, of sizes above 1, without grid_sample: for runtimes that sample no volumes; half as fast."""
    sizes = image.shape[2:]
    values = image.to(_at_least_float32(displacement).dtype).flatten(2)
    below, shares = [], []
    for at, size in zip(voxel_coordinates(_at_least_float32(displacement)), sizes):
        at = at.clamp(-1, size) if padding == "zeros" else at.clamp(0, size - 1)  # farther out is no different
        below.append(at.floor())
        shares.append(at - below[-1])
    moved = torch.zeros_like(image, dtype=values.dtype)
    for corner in product((0, 1), repeat=len(sizes)):
        index, weight = torch.zeros_like(below[0], dtype=torch.long), torch.ones_like(shares[0])
        for low, share, up, size in zip(below, shares, corner, sizes):
            place = low + up
            weight = weight * (share if up else 1 - share) * ((place >= 0) & (place < size))
            index = index * size + place.clamp(0, size - 1).long()
        found = values.gather(2, index.flatten(1)[:, None].expand(-1, image.shape[1], -1))
        moved = moved + found.reshape(image.shape) * weight[:, None]
    return moved


def compose(outer: Tensor, inner: Tensor, *, warp: Callable[..., Tensor] = warp) -> Tensor:
    """The displacement (B, D, *S) of x ↦ outer(inner(x)), both in voxels; outside the grid `outer` is its border's.

    An image warped by `outer` and then by `inner` is the image warped by the composition.
    """
    return inner + warp(outer, inner, padding="border")


def integrate(velocity: Tensor, *, steps: int = 7, warp: Callable[..., Tensor] | None = None) -> Tensor:
    """The displacement (B, D, *S) at time 1 of the flow of a stationary velocity field (B, D, *S), in voxels.

    By scaling and squaring: 2^steps short steps, composed pairwise. Its inverse is `integrate(-velocity)`.
    warp: what composes them where `sample` cannot run; without, they stay in its units from the first to the last.
    Source: Arsigny et al., MICCAI 2006, sec. 3; 7 steps as in Dalca et al., MICCAI 2018.
    """
    displacement = _at_least_float32(velocity) / 2**steps
    if warp is not None:
        for _ in range(steps):
            displacement = compose(displacement, displacement, warp=warp)
        return displacement
    with torch.autocast(velocity.device.type, enabled=False):
        displacement, still = to_grid_units(displacement), still_places(displacement)
        for _ in range(steps):
            displacement = displacement + sample(displacement, still + displacement, padding="border")
        return to_voxels(displacement)


def resize_displacement(displacement: Tensor, size: Sequence[int]) -> Tensor:
    """A displacement (B, D, *S) on a grid of `size` over the same extent, in voxels of that grid.

    The first and last voxels of both grids fall together, as they do in `warp`.
    """
    old_size = displacement.shape[2:]
    if tuple(old_size) == tuple(size):
        return displacement
    mode = {1: "linear", 2: "bilinear", 3: "trilinear"}[len(old_size)]
    resized = F.interpolate(_at_least_float32(displacement), size=tuple(size), mode=mode, align_corners=True)
    if torch.jit.is_tracing():  # sizes are tensors then, and as such hold in the trace at other sizes
        ratios = [(torch.as_tensor(a) - 1) / (torch.as_tensor(b) - 1).clamp(min=1) for a, b in zip(size, old_size)]
        factors = torch.stack(ratios).to(resized)
    else:
        factors = resized.new_tensor([(new - 1) / max(old - 1, 1) for new, old in zip(size, old_size)])
    return resized * factors.reshape(1, -1, *[1] * len(old_size))


def resize(images: Tensor, size: Sequence[int]) -> Tensor:
    """Images (B, C, *S) on a grid of `size` over the same extent, smoothed before where that is coarser.

    As of `resize_displacement`, the first and last voxels fall together.
    """
    old_size = images.shape[2:]
    if tuple(old_size) == tuple(size):
        return images
    stride = max(round(old / new) for old, new in zip(old_size, size))
    if stride > 1:
        window = 2 * (stride // 2) + 1
        inside = box_sum(torch.ones_like(images[:1, :1]), window)  # so that the border does not darken
        images = box_sum(images, window) / inside
    mode = {1: "linear", 2: "bilinear", 3: "trilinear"}[len(old_size)]
    return F.interpolate(images, size=tuple(size), mode=mode, align_corners=True)


def _at_least_float32(x: Tensor) -> Tensor:
    return x if x.dtype == torch.float64 else x.float()
