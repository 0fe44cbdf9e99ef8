"""The average precision of instances as a metric of training."""

from collections.abc import Callable, Sequence

import numpy as np
from ignite.metrics import Metric
from torch import Tensor

from shared.tasks.instances.metrics import THRESHOLDS, average_precision


class MeanAP(Metric):
    """The mean over images of their average precision at the IoU `thresholds`, of lists of id maps (1, *S)."""

    def __init__(self, output_transform: Callable, thresholds: Sequence[float] = THRESHOLDS) -> None:
        self.thresholds = list(thresholds)
        super().__init__(output_transform)

    def reset(self) -> None:
        self.values: list[float] = []

    def update(self, output: tuple[Sequence[Tensor], Sequence[Tensor]]) -> None:
        for found, reference in zip(*output):
            scores = average_precision(found.cpu().numpy(), reference.cpu().numpy(), self.thresholds)
            self.values.append(float(scores.mean()))

    def compute(self) -> float:
        return float(np.mean(self.values))
