"""From masks in boxes to pieces of an image, and from overlapping pieces of tiles to one map of instances."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import count

import numpy as np
from scipy.ndimage import label as connected_parts

SAME = 0.5  # share of the smaller of two masks that both have, from which they are taken for one instance
SMALLEST_SHARE = 0.5  # of an instance that must be left when surer ones have taken their part


@dataclass
class Box:
    """A box of pixels in an image: from `low` to before `high`."""

    low: np.ndarray  # (D)
    high: np.ndarray  # (D)

    @property
    def window(self) -> tuple[slice, ...]:
        return tuple(slice(a, b) for a, b in zip(self.low.tolist(), self.high.tolist()))

    def around(self, other: "Box") -> "Box":
        return Box(np.minimum(self.low, other.low), np.maximum(self.high, other.high))

    def common(self, other: "Box") -> "Box":
        low = np.maximum(self.low, other.low)
        return Box(low, np.maximum(np.minimum(self.high, other.high), low))


@dataclass
class Piece:
    """What was seen of an instance in a tile."""

    place: Box
    mask: np.ndarray  # (*place), bool
    score: float
    label: int
    tile: Box
    cut: bool = False  # whether it ends at a border of its tile that is none of the image


def paste_mask(mask: np.ndarray, box: np.ndarray, size: Sequence[int]) -> tuple[Box, np.ndarray]:
    """The pixels of an image of `size` whose centres lie in `box`, and the value of the mask at each.

    mask: (*M), each part's value being that of its centre. box: (2 D), corners in pixels. Linear between the parts.
    """
    dims = len(size)
    low, high = box[:dims], box[dims:]
    first = np.clip(np.ceil(low - 0.5), 0, size).astype(int)
    place = Box(first, np.clip(np.floor(high - 0.5) + 1, first, size).astype(int))
    values = mask.astype(np.float32)
    for axis, parts in enumerate(mask.shape):
        centres = np.arange(place.low[axis], place.high[axis]) + 0.5
        at = (centres - low[axis]) / max(high[axis] - low[axis], 1e-6) * parts - 0.5
        shares = np.maximum(1 - np.abs(at.clip(0, parts - 1)[:, None] - np.arange(parts)), 0).astype(np.float32)
        values = np.moveaxis(np.tensordot(shares, values, axes=(1, axis)), 0, axis)
    return place, values


def stitch(pieces: Iterable[Piece], size: Sequence[int], *, smallest: int = 1) -> tuple[np.ndarray, list[Piece]]:
    """One map of instances, (*S) of `size`: ids from 1, those of the list, surest first; each is in one part.

    Whole pieces come before those that their tile cuts, surer before less sure ones. A piece that is the same as an
    instance that is there already goes; where both are cut, by different tiles, it continues the instance. Pixels that
    several instances claim are the first one's; what is then left must be half of the piece and `smallest` pixels.
    """
    ids = np.zeros(size, dtype=np.int32)
    found: dict[int, Piece] = {}
    numbers = count(1)
    continued: set[int] = set()
    for piece in sorted(pieces, key=lambda p: (p.cut, -p.score)):
        under = ids[piece.place.window]
        rivals = [number for number in np.unique(under[piece.mask]).tolist() if number]
        same = [number for number in rivals if _agreement(piece, found[number], ids, number) > SAME]
        if any(not (piece.cut and found[i].cut and _apart(piece, found[i])) for i in same):
            continue
        free = piece.mask & (under == 0)
        if same:
            _continue_instance(ids, found, same, piece, free)
            continued.add(same[0])
            continue
        if free.sum() < max(smallest, SMALLEST_SHARE * piece.mask.sum()):
            continue
        free = largest_part(free)
        if free.sum() < smallest:
            continue
        number = next(numbers)
        under[free] = number
        found[number] = piece
    for number in continued & found.keys():
        part = ids[found[number].place.window]
        part[(part == number) & ~largest_part(part == number)] = 0
    order = sorted(found, key=lambda number: -found[number].score)
    renamed = np.zeros(max(found, default=0) + 1, dtype=np.int32)
    renamed[order] = np.arange(1, len(order) + 1)
    return renamed[ids], [found[number] for number in order]


def largest_part(mask: np.ndarray) -> np.ndarray:
    """The largest of the parts of `mask` that hang together by edges or faces."""
    parts, number = connected_parts(mask)
    return mask if number < 2 else parts == 1 + np.bincount(parts.ravel())[1:].argmax()


def _agreement(piece: Piece, rival: Piece, ids: np.ndarray, number: int) -> float:
    """Of the smaller one, where both tiles see it: the share that both have."""
    common = piece.tile.common(rival.tile)
    inner = common.common(piece.place)
    mask = piece.mask[Box(inner.low - piece.place.low, inner.high - piece.place.low).window]
    both = (mask & (ids[inner.window] == number)).sum()
    others = (ids[common.common(rival.place).window] == number).sum()
    return float(both / max(1, min(mask.sum(), others)))


def _apart(piece: Piece, rival: Piece) -> bool:
    return not (np.array_equal(piece.tile.low, rival.tile.low) and np.array_equal(piece.tile.high, rival.tile.high))


def _continue_instance(
    ids: np.ndarray, found: dict[int, Piece], same: list[int], piece: Piece, free: np.ndarray
) -> None:
    """Let the instances `same` and the free pixels of `piece` be one: the first of them."""
    first, *others = same
    ids[piece.place.window][free] = first
    for joined in [piece, *(found[number] for number in others)]:
        found[first] = replace(
            found[first], place=found[first].place.around(joined.place), tile=found[first].tile.around(joined.tile),
            score=max(found[first].score, joined.score),
        )  # fmt: skip
    for number in others:
        part = ids[found.pop(number).place.window]
        part[part == number] = first
