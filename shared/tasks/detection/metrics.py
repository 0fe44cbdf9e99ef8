"""How well detectors do, by the rules of COCO."""

import contextlib
import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from ignite.metrics import Metric
from torch import Tensor

from shared.detection.boxes import intersection_over_union

if TYPE_CHECKING:
    from pycocotools.cocoeval import COCOeval

NOTHING = -1.0  # the class of a row that is no object
CROWD = -2.0  # less c: the class of a row that is a crowd of class c
SIZES = ("all", "small", "medium", "large")  # of objects: up to 32², up to 96², and more pixels


def coco_evaluation(found: Sequence[Tensor], true: Sequence[Tensor], class_names: Sequence[str]) -> "COCOeval":
    """pycocotools' COCOeval of images, accumulated.

    found: of each image (K, 6), corners along its axes (row1, column1, row2, column2), score, class. true: (M, 5),
    corners and class; rows of NOTHING are passed over, and those of a CROWD are regions to ignore.
    """
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    annotations: list[dict[str, object]] = []
    results: list[dict[str, object]] = []
    for image, (detections, objects) in enumerate(zip(found, true), start=1):
        for box, label in zip(xywh(objects).tolist(), objects[:, 4].long().tolist()):
            if label == NOTHING:
                continue
            area, crowd = box[2] * box[3], label <= CROWD
            label = int(CROWD) - label if crowd else label
            entry = {"id": len(annotations) + 1, "image_id": image, "category_id": label, "bbox": box, "area": area}
            annotations.append({**entry, "iscrowd": int(crowd)})
        for box, (score, label) in zip(xywh(detections).tolist(), detections[:, 4:].tolist()):
            results.append({"image_id": image, "category_id": int(label), "bbox": box, "score": score})
    with contextlib.redirect_stdout(io.StringIO()):  # it talks
        truth = COCO()
        truth.dataset = {
            "images": [{"id": i} for i in range(1, len(true) + 1)],
            "categories": [{"id": i, "name": name} for i, name in enumerate(class_names)],
            "annotations": annotations,
        }
        truth.createIndex()
        predicted = COCO() if not results else truth.loadRes(results)
        evaluation = COCOeval(truth, predicted, "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation


def coco_scores(evaluation: "COCOeval", class_names: Sequence[str]) -> dict[str, float]:
    """AP at IoU 0.5:0.95, 0.5 and 0.75 over the classes, by size of object, and by class; nan where there is none."""
    precision = evaluation.eval["precision"]  # (IoU, recall, class, size, detections an image)

    def mean(values: np.ndarray) -> float:
        known = values[values > -1]
        return float(known.mean()) if known.size else float("nan")

    scores = {"ap": mean(precision[:, :, :, 0, -1]), "ap50": mean(precision[0, :, :, 0, -1])}
    scores["ap75"] = mean(precision[5, :, :, 0, -1])
    for number, size in enumerate(SIZES[1:], start=1):
        scores[f"ap_{size}"] = mean(precision[:, :, :, number, -1])
    for number, name in enumerate(class_names):
        scores[f"ap_{name}"] = mean(precision[:, :, number, 0, -1])
        scores[f"ap50_{name}"] = mean(precision[0, :, number, 0, -1])
    return scores


def precision_curves(evaluation: "COCOeval", class_names: Sequence[str]) -> dict[str, np.ndarray]:
    """Of each class that there is, the precision (2, 101) at the recalls 0, 0.01, …, 1: at IoU 0.5, and at 0.75."""
    precision = evaluation.eval["precision"][[0, 5], :, :, 0, -1]
    return {
        name: precision[:, :, index] for index, name in enumerate(class_names) if (precision[:, :, index] > -1).all()
    }


def confusion(found: Sequence[Tensor], true: Sequence[Tensor], classes: int, *, overlap: float = 0.5) -> np.ndarray:
    """How often an object of a class (row) was found as one of another (column): (classes + 1, classes + 1).

    The last row counts what was found where nothing is, the last column what was not found. The surest detections
    first take the objects that they overlap most, by an IoU of `overlap` or more, whatever their class. What is left
    and lies by that share of its area in a crowd of its class counts for nothing.
    """
    pairs = np.zeros((classes + 1, classes + 1), dtype=int)
    for detections, rows in zip(found, true):
        objects, ignored = rows[rows[:, 4] >= 0], in_crowds(detections, rows) >= overlap
        overlaps = intersection_over_union(detections[:, None, :4], objects[None, :, :4])
        free = np.ones(len(objects), dtype=bool)
        for index in detections[:, 4].argsort(descending=True, stable=True).tolist():
            candidates = np.where(free, overlaps[index].numpy(), -1.0)
            best = int(candidates.argmax()) if len(candidates) else -1
            matched = best >= 0 and candidates[best] >= overlap
            if not matched and ignored[index]:
                continue
            pairs[int(objects[best, 4]) if matched else classes, int(detections[index, 5])] += 1
            if matched:
                free[best] = False
        for label in objects[:, 4].long()[torch.as_tensor(free)].tolist():
            pairs[label, classes] += 1
    return pairs


def in_crowds(detections: Tensor, objects: Tensor) -> Tensor:
    """The largest share of the area of each detection (K, 6) that lies in a crowd of its class among (M, 5): (K)."""
    crowds = objects[objects[:, 4] <= CROWD]
    low = torch.maximum(detections[:, None, :2], crowds[None, :, :2])
    high = torch.minimum(detections[:, None, 2:4], crowds[None, :, 2:4])
    area = (detections[:, 2:4] - detections[:, :2]).prod(dim=1)
    shares = (high - low).clamp(min=0).prod(dim=2) / area.clamp(min=1e-6)[:, None]
    same = detections[:, None, 5] == CROWD - crowds[None, :, 4]
    return F.pad(shares * same, (0, 1)).amax(dim=1)  # 0 where there is no crowd


def xywh(boxes: Tensor) -> Tensor:
    """COCO's (x, y, width, height) of boxes (N, ≥ 4) that begin with (row1, column1, row2, column2)."""
    r1, c1, r2, c2 = boxes[:, :4].double().unbind(dim=1)
    return torch.stack([c1, r1, c2 - c1, r2 - r1], dim=1)


class CocoPrecision(Metric):
    """The AP of a run over images, at IoU 0.5:0.95, or at 0.5 with `at` "ap50".

    Its output: lists of what was found in each image and of the true objects, as `coco_evaluation` takes them.
    """

    def __init__(self, class_names: Sequence[str], *, at: str = "ap", output_transform: Callable = lambda x: x) -> None:
        self.class_names = list(class_names)
        self.at = at
        super().__init__(output_transform=output_transform)

    def reset(self) -> None:
        self.images: list[tuple[Tensor, Tensor]] = []

    def update(self, output: tuple[Sequence[Tensor], Sequence[Tensor]]) -> None:
        self.images += [(found.cpu(), true.cpu()) for found, true in zip(*output)]

    def compute(self) -> float:
        found, true = zip(*self.images)
        return coco_scores(coco_evaluation(found, true, self.class_names), self.class_names)[self.at]
