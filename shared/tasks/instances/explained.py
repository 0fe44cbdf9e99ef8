"""How what a Mask R-CNN gives is read when it is explained."""

import torch
from torch import Tensor

from shared.explaining.reading import Reading, count_agreement
from shared.nets.mask_rcnn import Instances


class InstanceReading(Reading):
    """Of `Instances`: a class is seen as strongly as the scores of all places together; answers agree by counts.

    classes: K. threshold: the score above which an instance counts.
    """

    def __init__(self, *, classes: int, threshold: float) -> None:
        self.classes = classes
        self.threshold = threshold

    def amounts(self, output: Instances) -> Tensor:
        return torch.bincount(output.labels[0][output.scores[0] > self.threshold], minlength=self.classes)

    def evidence(self, output: Instances, answer: Instances) -> Tensor:
        nothing = output.scores.new_zeros(len(output.scores), self.classes)
        return nothing.scatter_add(1, output.labels, output.scores)

    def agreement(self, output: Instances, answer: Instances) -> float:
        return count_agreement(self.amounts(output), self.amounts(answer))
