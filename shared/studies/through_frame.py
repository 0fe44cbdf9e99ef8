"""How well labels are carried from one image onto another by way of a frame, to which both are registered."""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import SimpleITK as sitk

from shared.errors import InputError
from shared.images.cases import Case
from shared.spatial.itk import ids_from_itk
from shared.studies.registering import Register
from shared.tasks.registration.ids import ids_of_fixed, ids_on
from shared.tasks.registration.metrics import label_dice
from shared.tasks.registration.registered import Registered
from shared.tasks.registration.transforms import image_for_itk

PAIRED = ("moving", "fixed", "moving_label", "fixed_label")


def rows_through(
    pairs: Sequence[Case], to_frame: Register, *, directly: Register | None = None
) -> Iterator[dict[str, Any]]:
    """A row a pair: its "case", and the Dice, a mean over the labels, of the moving image's labels on the fixed one.

    "dice_through": by `to_frame`, of each image, and back from there. "dice_direct": by `directly`, of the
    pair, if that is given. Raises InputError where an image has no label map.
    """
    registered = lru_cache(maxsize=2)(lambda image, label: to_frame(moving=image, moving_label=label))  # of a ring
    for pair in pairs:
        if any(key not in pair for key in PAIRED):
            raise InputError(pair["case"], expected="label maps of both images", got="none of one", fix="add it")
        ends = [registered(pair[role], pair[f"{role}_label"]) for role in ("moving", "fixed")]
        row = {"case": pair["case"], "dice_through": overlap_through(*ends)}
        if directly is not None:
            row["dice_direct"] = mean_of(directly(**{key: pair[key] for key in PAIRED}).overlaps["after"])
        yield row


def overlap_through(moving: Registered, fixed: Registered) -> float:
    """The mean Dice of the labels of one image, carried onto another, and those that this has.

    moving, fixed: the two, each with its label map as the moving image of a pair whose fixed one is the frame. Labels
    are those of the second.
    """
    assert moving.moving_label is not None
    assert fixed.moving_label is not None
    back = sitk.DisplacementFieldTransform(sitk.Image(fixed.inverse))
    way = sitk.CompositeTransform([moving.transform, back])  # the last is first
    grid = image_for_itk(fixed.moving)
    carried = ids_from_itk(ids_on(moving.moving_label, moving.moving, grid, way))
    own = ids_from_itk(ids_of_fixed(fixed.moving_label, fixed.moving, grid))
    labels = [int(label) for label in own.unique() if label > 0]
    return mean_of(dict(zip(labels, label_dice(carried, own, labels))))


def mean_of(dice: Mapping[int, float]) -> float:
    return float(np.mean(list(dice.values()))) if dice else float("nan")
