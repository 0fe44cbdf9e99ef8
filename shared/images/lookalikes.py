"""Pictures that look alike, however turned: what is trained on should not look like what is kept back."""

import logging
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TypeVar

import numpy as np

from shared.errors import InputError
from shared.images.layouts import TRAINING, VALIDATION
from shared.images.reading import read_image
from shared.images.resizing import resized

Cases = TypeVar("Cases", bound=Mapping[str, Sequence])

SIDE = 24  # pixels, of the small gray pictures that are compared
ALIKE = 0.97  # the correlation above which two are alike
NAMED = 10  # pairs that a warning names

logger = logging.getLogger(__name__)


def warned_of_lookalikes(cases: Cases) -> Cases:
    """`cases` as they are; a line is logged where pictures of "training" look like such of "validation".

    cases: of each part {"case", "image"}: name and path. Those that cannot be read are like nothing.
    """
    training, validation = cases[TRAINING], cases[VALIDATION]
    pairs = lookalikes([case["image"] for case in training], [case["image"] for case in validation])
    if pairs:
        names = list(dict.fromkeys(f"{training[i]['case']} and {validation[j]['case']}" for i, j in pairs))
        more = f", and {len(names) - NAMED} more" if len(names) > NAMED else ""
        logger.warning(
            "training and validation pictures look alike, so that figures of validation are too good: %s%s; leave one "
            "of each pair out", ", ".join(names[:NAMED]), more,
        )  # fmt: skip
    return cases


def lookalikes(first: Sequence[str | Path], second: Sequence[str | Path]) -> list[tuple[int, int]]:
    """Which pictures of `first` and of `second` are alike, by their places in both.

    Two are, if as gray pictures of SIDE × SIDE pixels, one of them turned or mirrored in any of eight ways, they
    correlate by more than ALIKE.
    """
    if not (first and second):
        return []
    a, b = (np.stack([_signature(str(path)) for path in paths]) for paths in (first, second))
    alike = np.zeros((len(a), len(b)), dtype=bool)
    for turned in _turns(b):
        alike |= a.reshape(len(a), -1) @ turned.reshape(len(b), -1).T > ALIKE
    return [(int(i), int(j)) for i, j in np.argwhere(alike)]


def groups_of_lookalikes(images: Sequence[str | Path]) -> list[int]:
    """For each picture the place of the first one that it is like, directly or by way of others: its own if of none."""
    groups = list(range(len(images)))
    for i, j in lookalikes(images, images):
        low, high = sorted((groups[i], groups[j]))
        groups = [low if group == high else group for group in groups]
    return groups


def _turns(pictures: np.ndarray) -> list[np.ndarray]:
    """Square pictures (N, SIDE, SIDE) in each of the eight ways in which a square can lie."""
    return [np.rot90(way, times, axes=(1, 2)) for way in (pictures, pictures[:, ::-1]) for times in range(4)]


@cache
def _signature(path: str) -> np.ndarray:
    """The gray picture (SIDE, SIDE) of an image, with mean 0 and length 1; 0 where it is constant or cannot be read."""
    try:
        gray = read_image(path).values.mean(axis=0, keepdims=True)
    except InputError:
        return np.zeros((SIDE, SIDE), dtype=np.float32)
    small = resized(gray, (SIDE, SIDE))[0]
    small -= small.mean()
    return small / max(float(np.linalg.norm(small)), 1e-6)
