"""The score from which an object counts: one for all classes, or one for each. Needs no torch."""

from collections.abc import Mapping, Sequence

import numpy as np

from shared.engine.counting import right_count
from shared.errors import InputError

Threshold = float | Sequence[float] | Mapping[str, float]

SCORE_DIGITS = 4  # of scores in files
OTHERWISE = 0.4  # of a class that a mapping does not name, as where the classes are the user's own


def by_class(threshold: Threshold, class_names: Sequence[str]) -> np.ndarray:
    """The threshold of each class, (classes).

    threshold: one number for all, one for each class in their order, or by their names.
    Raises InputError for a list of another length than the classes'.
    """
    if isinstance(threshold, Mapping):
        return np.array([threshold.get(name, OTHERWISE) for name in class_names], dtype=float)
    values = np.atleast_1d(np.array(threshold, dtype=float))
    if len(values) not in (1, len(class_names)):
        raise InputError(
            "--threshold", expected=f"one number, or one for each of {', '.join(class_names)}", got=list(values),
            fix="correct the option",
        )  # fmt: skip
    return np.resize(values, len(class_names))


def is_counted(objects: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Which of objects (K, 6), as `Detected` has them, have the score of their class's threshold or more: (K).

    Scores count as files hold them, of SCORE_DIGITS.
    """
    return objects[:, 4].astype(float).round(SCORE_DIGITS) >= thresholds[objects[:, 5].astype(int)]


def counting_right(found: Sequence[np.ndarray], true: Sequence[np.ndarray], classes: int) -> list[float | None]:
    """The threshold of each class by which as many objects are counted in all images together as there are.

    found: of each image (K, 6), as `Detected` has them. true: (M, 5), corners and class. Down to three
    digits; None where there are none of a class, or fewer were found.
    """
    objects, labels = np.concatenate(found), np.concatenate([rows[:, 4] for rows in true])
    return [right_count(objects[objects[:, 5] == index, 4], int((labels == index).sum())) for index in range(classes)]


def operating_points(
    pairs: np.ndarray, thresholds: np.ndarray, chosen: Sequence[float | None], class_names: Sequence[str]
) -> dict[str, dict[str, float | None]]:
    """Of each class how a detector does at its threshold, and of "all" together; None where nothing is to be divided.

    pairs: as `confusion` gives them. chosen: what `counting_right` gives. bias: by what share more are found than there
    are.
    """
    points = {}
    for index, name in enumerate(class_names):
        figures = _figures(pairs[index, index], pairs[index].sum(), pairs[:, index].sum())
        points[name] = {"threshold": float(thresholds[index]), **figures, "counts_right": chosen[index]}
    every = _figures(np.trace(pairs), pairs[:-1].sum(), pairs[:, :-1].sum())
    return points | {"all": {"threshold": None, **every, "counts_right": None}}


def _figures(right: int, true: int, found: int) -> dict[str, float | None]:
    return {
        "recall": round(float(right / true), 4) if true else None,
        "precision": round(float(right / found), 4) if found else None,
        "true": int(true),
        "found": int(found),
        "bias": round(float(found / true - 1), 4) if true else None,
    }
