"""How the intensities of images are brought to what a network sees."""

from collections.abc import Sequence

import numpy as np

from shared.engine.recipe import Part, component
from shared.planning.seen import Seen
from shared.planning.table import Finding, ranged

AIR = -500.0  # Hounsfield units that only CT has
RANGE = (0.5, 99.5)  # percentiles, nnU-Net's


def is_ct(seen: Sequence[Seen], modality: str) -> bool:
    """Whether volumes are of CT, by dataset.json or, without it, by air, which most of them show."""
    if modality:
        return modality.upper() == "CT"
    return seen[0].is_volume and float(np.median([one.extremes[0] for one in seen])) < AIR


def scaling(seen: Sequence[Seen], modality: str) -> tuple[list[Part], Finding]:
    """The transforms in place of the recipe's, which standardises each image; none where that is right."""
    low, high = (float(np.median([one.extremes[end] for one in seen])) for end in (0, 1))
    found = f"{modality or 'modality not stated'}; intensities from {low:.4g} to {high:.4g}"
    if not is_ct(seen, modality):
        return [], Finding(
            found, "clipped to the 0.5 and 99.5 percentiles, mean 0, variance 1, image by image",
            "scales differ from image to image (nnU-Net standardises all but CT)",
        )  # fmt: skip
    inside = np.concatenate([one.inside for one in seen])
    bottom, top = np.percentile(inside, RANGE).tolist()
    mean, deviation = float(inside.mean()), max(float(inside.std()), 1e-6)
    ends = {"b_min": round((bottom - mean) / deviation, 4), "b_max": round((top - mean) / deviation, 4)}
    part = component("ScaleIntensityRanged", keys="image", a_min=bottom, a_max=top, **ends, clip=True)
    return [part], Finding(
        f"{found}; labelled voxels {ranged([bottom, top])}",
        f"clipped to {bottom:.4g} … {top:.4g}, then less {mean:.4g}, by {deviation:.4g}: the same for all images",
        "CT's scale is physical: percentiles of labelled voxels of all images (nnU-Net)",
    )  # fmt: skip
