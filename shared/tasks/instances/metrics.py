"""How well a map of instances agrees with a reference: AP, AJI and PQ of one image, and AP over many."""

import contextlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from shared.tasks.instances.files import compressed, run_lengths

THRESHOLDS = tuple(round(0.5 + 0.05 * i, 2) for i in range(10))  # 0.5, 0.55, … 0.95


def overlaps(found: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels in common and IoU of all instances with all: twice (N found, M in the reference).

    found, reference: maps (*S) of ids, 0 the background; others are numbered in their order, gaps left out.
    """
    _, f = np.unique(np.append(found.ravel(), 0), return_inverse=True)
    _, r = np.unique(np.append(reference.ravel(), 0), return_inverse=True)
    rows, columns = f.max() + 1, r.max() + 1
    table = np.bincount(f[:-1] * columns + r[:-1], minlength=rows * columns).reshape(rows, columns)
    common = table[1:, 1:]
    union = table[1:].sum(axis=1)[:, None] + table[:, 1:].sum(axis=0) - common
    return common, common / union


def matches(found: np.ndarray, reference: np.ndarray, thresholds: Sequence[float]) -> np.ndarray:
    """(thresholds, 3): true positives, false positives, false negatives. A match is an IoU above a threshold >= 0.5.

    Above 0.5 no instance has two. Source: Data Science Bowl 2018 (Caicedo et al., Nature Methods 16, 2019).
    """
    if min(thresholds) < 0.5:
        raise ValueError(f"expected thresholds of 0.5 and more, got {min(thresholds)}")
    _, iou = overlaps(found, reference)
    true = np.array([(iou > threshold).sum() for threshold in thresholds])
    return np.stack([true, iou.shape[0] - true, iou.shape[1] - true], axis=1)


def precision_of(counts: np.ndarray) -> np.ndarray:
    """TP / (TP + FP + FN) of counts (..., 3); 1 where there is nothing to find and nothing was found."""
    total = counts.sum(axis=-1)
    return np.where(total == 0, 1.0, counts[..., 0] / np.maximum(total, 1))


def average_precision(found: np.ndarray, reference: np.ndarray, thresholds: Sequence[float] = THRESHOLDS) -> np.ndarray:
    """The average precision of one image at each threshold, TP / (TP + FP + FN).

    Source: Data Science Bowl 2018; the same as in Schmidt et al., StarDist, MICCAI 2018, sec. 3.
    """
    return precision_of(matches(found, reference, thresholds))


def aggregated_jaccard(found: np.ndarray, reference: np.ndarray) -> float:
    """Pixels common to each instance of the reference and its match, over those of either and of what has no match.

    The match is the one of highest IoU, which may be several instances' one. Source: Kumar et al., IEEE TMI 36, 2017,
    algorithm 1; 1 where there is nothing to find and nothing was found.
    """
    common, iou = overlaps(found, reference)
    areas_found, areas = _areas(found), _areas(reference)
    if not areas.size:
        return float(not areas_found.size)
    if not areas_found.size:
        return 0.0
    best = iou.argmax(axis=0)
    met = iou.max(axis=0) > 0
    shared = common[best, np.arange(len(areas))]
    union = np.where(met, areas_found[best] + areas - shared, areas).sum()
    unmatched = np.setdiff1d(np.arange(len(areas_found)), best[met])
    return float(shared[met].sum() / (union + areas_found[unmatched].sum()))


def panoptic_quality(found: np.ndarray, reference: np.ndarray) -> float:
    """The sum of the IoU of matches above 1/2, over TP + FP / 2 + FN / 2.

    Source: Kirillov et al., Panoptic Segmentation, CVPR 2019, eq. 1; 1 where nothing is to find and nothing was found.
    """
    _, iou = overlaps(found, reference)
    return float(iou[iou > 0.5].sum() / (sum(iou.shape) / 2)) if sum(iou.shape) else 1.0


def coco_average_precision(results: Sequence[tuple[np.ndarray, Sequence[float], np.ndarray]]) -> dict[str, float]:
    """COCO's AP of masks of one class over images, at IoU 0.5:0.95, 0.5 and 0.75: "coco_ap", "coco_ap50", "coco_ap75".

    results: of each image the map of ids 1 … N, their scores and the reference. By pycocotools, but for the number of
    detections an image, which is not limited.
    """
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    annotations: list[dict[str, Any]] = []
    detections: list[dict[str, Any]] = []
    for image, (found, scores, reference) in enumerate(results, start=1):
        for _, rle in run_lengths(reference):
            entry = {"id": len(annotations) + 1, "image_id": image, "category_id": 1, "iscrowd": 0}
            annotations.append({**entry, "segmentation": rle, "area": sum(rle["counts"][1::2])})
        for number, rle in run_lengths(found):
            detections.append({"image_id": image, "category_id": 1, "segmentation": rle, "score": scores[number - 1]})
    with contextlib.redirect_stdout(io.StringIO()):  # it talks
        truth = COCO()
        truth.dataset = {
            "images": [
                {"id": i, "height": r[2].shape[0], "width": r[2].shape[1]} for i, r in enumerate(results, start=1)
            ],
            "categories": [{"id": 1, "name": "instance"}],
            "annotations": annotations,
        }
        for instance in (*annotations, *detections):
            instance["segmentation"] = compressed(instance["segmentation"])
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(detections) if detections else COCO(), "segm")
        evaluation.params.maxDets = [max([1, *(len(scores) for _, scores, _ in results)])]
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"][:, :, 0, 0, 0]
    means = [
        float(p[p > -1].mean()) if (p > -1).any() else float("nan") for p in (precision, precision[0], precision[5])
    ]
    return dict(zip(("coco_ap", "coco_ap50", "coco_ap75"), means))


def _areas(ids: np.ndarray) -> np.ndarray:
    return np.unique(ids[ids > 0], return_counts=True)[1]
