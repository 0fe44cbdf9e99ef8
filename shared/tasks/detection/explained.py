"""How what a detector gives is read when it is explained."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from shared.explaining.reading import Reading, count_agreement
from shared.tasks.detection.letterbox import kept_once
from shared.tasks.detection.thresholds import Threshold, by_class, is_counted


class DetectionReading(Reading):
    """Of (B, 4 + K, N): a class is seen as strongly as the scores of all places together; answers agree by counts.

    threshold: the score from which an object counts, see `by_class`. overlap, most: see `kept_once`; here boxes are not
    cut at the border of the view.
    """

    def __init__(self, *, class_names: Sequence[str], threshold: Threshold, overlap: float, most: int) -> None:
        self.thresholds = by_class(threshold, class_names)
        self.overlap = overlap
        self.most = most

    def amounts(self, output: Tensor) -> Tensor:
        found = output[0].detach().float().cpu().numpy()
        least = float(self.thresholds.min())
        rows = kept_once(found, (np.inf, np.inf), min_score=least, overlap=self.overlap, most=self.most)  # type: ignore[arg-type]
        counted = rows[is_counted(rows, self.thresholds), 5].astype(int)
        return torch.from_numpy(np.bincount(counted, minlength=len(self.thresholds)))

    def evidence(self, output: Tensor, answer: Tensor) -> Tensor:
        return output[:, 4:].sum(dim=2)

    def agreement(self, output: Tensor, answer: Tensor) -> float:
        return count_agreement(self.amounts(output), self.amounts(answer))
