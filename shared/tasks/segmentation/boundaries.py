"""How well the boundaries of a label map are found, the faint ones by themselves, and where a label map is worst."""

from collections.abc import Iterator, Sequence

import numpy as np
from scipy import ndimage
from skimage.segmentation import find_boundaries


def boundary_scores(
    labels: np.ndarray, reference: np.ndarray, image: np.ndarray, *, tolerance_px: float = 2.0
) -> dict[str, float]:
    """Precision, recall and F1 of the boundaries between classes, and the recall of the faintest third.

    labels, reference: (*S), class ids. image: (*S). A boundary pixel is found where the other map has one within
    `tolerance_px`. Faint are those reference boundaries whose smoothed gradient (sigma 2 pixels) is in the lowest
    third of the image's. All are NaN where the reference has no boundary, and 0 where `labels` alone has none.
    Source: the boundary F1 of Csurka et al., BMVC 2013, pooled over classes.
    """
    drawn, true = (find_boundaries(m, mode="thick") for m in (labels, reference))
    if not (drawn.any() and true.any()):
        value = 0.0 if true.any() else float("nan")
        return dict.fromkeys(("boundary_f1", "boundary_recall", "boundary_recall_faint"), value)
    near_drawn, near_true = (ndimage.distance_transform_edt(~m) <= tolerance_px for m in (drawn, true))
    precision, recall = near_true[drawn].mean(), near_drawn[true].mean()
    strength = ndimage.gaussian_gradient_magnitude(image.astype(np.float32), 2)[true]
    faint = strength <= np.quantile(strength, 1 / 3)
    return {
        "boundary_f1": float(2 * precision * recall / max(precision + recall, 1e-12)),
        "boundary_recall": float(recall),
        "boundary_recall_faint": float(near_drawn[true][faint].mean()),
    }


def tiles(shape: Sequence[int], side: int) -> Iterator[tuple[slice, ...]]:
    """The tiles of `side` (whole ones, side by side) of an image (*shape); the image itself where it is smaller."""
    side = min(side, *shape)
    for corner in np.ndindex(*(s // side for s in shape)):
        yield tuple(slice(c * side, (c + 1) * side) for c in corner)
