"""One list of instances from several views of an image: what they agree on is surer, and its outline their mean."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from shared.detection.greedy import overlaps

SAME = 0.5  # IoU of boxes above which two views show the same instance


class Seen(NamedTuple):
    """N instances seen in a view."""

    boxes: np.ndarray  # (N, 2 D): corners in pixels of what all views show
    scores: np.ndarray  # (N)
    labels: np.ndarray  # (N)
    masks: np.ndarray  # (N, *M): the likelihood of each part of the box to be of the instance


def fuse_views(views: Sequence[Seen]) -> Seen:
    """The instances of all views, surest first; a single view's as they are.

    Beginning with the surest, each takes from each other view the one that overlaps it most, of its label and by more
    than `SAME`. Box and mask are the mean, weighted by score. The score is the mean over all views, 0 where one has
    none.
    Source: Solovyev et al., Weighted Boxes Fusion, 2021, sec. 3, eq. 6. Differs: overlaps are with the surest box, not
    with the mean so far.
    """
    seen = [view for view in views if len(view.scores)]
    if len(views) == 1 or not seen:
        return views[0]
    boxes, scores, labels, masks = (np.concatenate(values) for values in zip(*seen))
    view = np.repeat(np.arange(len(seen)), [len(each.scores) for each in seen])
    overlap = np.where(labels[:, None] == labels, overlaps(boxes[:, None], boxes[None]), 0)
    free, groups = np.ones(len(scores), dtype=bool), []
    for surest in np.argsort(-scores, kind="stable"):
        if not free[surest]:
            continue
        near = np.where(free, overlap[surest], 0)
        others = [np.where(view == other, near, 0).argmax() for other in range(len(seen)) if other != view[surest]]
        groups.append([surest, *(index for index in others if near[index] > SAME)])
        free[groups[-1]] = False
    weights = np.zeros((len(groups), len(scores)), dtype=np.float32)
    for row, group in zip(weights, groups):
        row[group] = scores[group]
    weights = weights[np.argsort(-weights.sum(axis=1), kind="stable")]
    total = weights.sum(axis=1)
    weights /= np.maximum(total, 1e-6)[:, None]
    fused_boxes, fused_masks = (np.tensordot(weights, values, axes=1) for values in (boxes, masks))
    return Seen(fused_boxes, total / len(views), labels[weights.argmax(axis=1)], fused_masks)
