"""How wide the objects of an image are, by what a network sees of them at several magnifications. Needs no torch."""

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

import numpy as np

from shared.images.magnifying import Magnification

SMALLER, LARGER = (0.5, 0.25), (2.0, 4.0)  # besides 1: a network sees objects well within a factor of 1.4
SURE = 0.3  # the score from which an object counts
LATER = 2 / 3  # of the side of the window: how much is looked at besides
FEWEST = 3  # objects of which a width is believed
ALIKE = 2.0  # of 20 nuclear images, enlarged or reduced by 2 and 4, true widths were within 1.7 of the first
BLOCKS = 16  # along the longer side of an image, in which its contrast is looked at


class Objects(NamedTuple):
    """N objects seen in part of an image: widths (N), in pixels of the image, and scores (N)."""

    widths: np.ndarray
    scores: np.ndarray


Look = Callable[[np.ndarray, float], Objects]  # at an image (C, *S), enlarged by a factor
Found = TypeVar("Found")  # what a network gives


def estimated_width(image: np.ndarray, look: Look, magnification: Magnification, *, window: int) -> float | None:
    """How wide a typical object of an image (C, *S) is, in pixels; None where too little is seen.

    First it is looked at as it is. Objects as wide as those that the network knows, or less but well seen, end the
    search; wider ones may be the smaller ones among some that are too wide to be seen. Else it is looked at made
    SMALLER, LARGER or both, and the factor is taken by which sure objects cover most of what is seen. The width is
    their median. What is wider or narrower by more than ALIKE than what was seen first is something else, such as a
    clump of what is left of small objects in a view made smaller.
    Of an image larger than `window` (of enlarged pixels) the part with most contrast is looked at.
    """
    sides = {1.0: window}
    seen = {1.0: _sure(look(part_of(image, window), 1.0))}
    for factor in _further_factors(_typical(seen[1.0]), magnification):
        sides[factor] = round(LATER * window / factor)
        seen[factor] = _sure(look(part_of(image, sides[factor]), factor))
    widths = {factor: width for factor, objects in seen.items() if (width := _typical(objects)) is not None}
    first = widths.get(1.0)
    alike = [factor for factor, width in widths.items() if first is None or 1 / ALIKE <= width / first <= ALIKE]
    covered = {factor: _area(seen[factor]) / _seen_area(image, sides[factor]) for factor in alike}
    return widths[max(alike, key=lambda factor: covered[factor])] if alike else None


def part_of(image: np.ndarray, side: int) -> np.ndarray:
    """The part, at most `side` pixels high and wide, of an image (C, *S) where its contrast is the strongest."""
    size = image.shape[1:]
    if max(size) <= side:
        return image
    step = max(1, max(size) // (BLOCKS * 8))
    thin = image[:, ::step, ::step].astype(np.float32).mean(axis=0)
    high, wide = (max(1, min(round(side / step), length)) for length in thin.shape)
    lows = [range(0, length - span + 1, max(1, span // 2)) for length, span in zip(thin.shape, (high, wide))]
    corners = [(row, column) for row in lows[0] for column in lows[1]]
    row, column = max(corners, key=lambda corner: float(thin[corner[0] :, corner[1] :][:high, :wide].std()))
    return image[:, row * step :, column * step :][:, :side, :side]


class Remembering(Generic[Found]):
    """A network that does not run again for the image that it saw first: the estimate looks at it, then the run."""

    def __init__(self, network: Callable[[np.ndarray], Found]) -> None:
        self.network = network
        self.first: tuple[np.ndarray, Found] | None = None

    def __call__(self, image: np.ndarray) -> Found:
        if self.first is not None and np.array_equal(image, self.first[0]):
            return self.first[1]
        found = self.network(image)
        self.first = self.first or (image, found)
        return found


def _further_factors(width: float | None, magnification: Magnification) -> tuple[float, ...]:
    """By which an image is looked at once objects of that width, if any, were seen."""
    if width is None:
        return SMALLER + LARGER
    if width > magnification.known_px:
        return SMALLER
    return () if magnification.is_well_seen(width) else LARGER


def _sure(objects: Objects) -> Objects:
    sure = objects.scores >= SURE
    return Objects(objects.widths[sure], objects.scores[sure])


def _typical(objects: Objects) -> float | None:
    return float(np.median(objects.widths)) if len(objects.widths) >= FEWEST else None


def _area(objects: Objects) -> float:
    """That objects cover, each as far as it is sure."""
    return float((objects.scores * objects.widths**2).sum())


def _seen_area(image: np.ndarray, side: int) -> int:
    return int(np.prod([min(length, side) for length in image.shape[1:]]))
