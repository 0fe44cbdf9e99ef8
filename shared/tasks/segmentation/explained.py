"""How the logits of a segmentation are read when they are explained."""

import torch
from torch import Tensor

from shared.explaining.reading import Reading


class SegmentationReading(Reading):
    """Of logits (B, K, *S): a class is seen as strongly as it is likely, in the mean of log-likelihoods over what the
    answer has of it; answers agree by the mean Dice of the classes that either has.

    include_background: whether the first class counts.
    """

    def __init__(self, *, include_background: bool = False) -> None:
        self.first = 0 if include_background else 1

    def amounts(self, output: Tensor) -> Tensor:
        counts = torch.bincount(output[0].argmax(dim=0).flatten(), minlength=output.shape[1])
        counts[: self.first] = 0
        return counts

    def evidence(self, output: Tensor, answer: Tensor) -> Tensor:
        labels = answer.argmax(dim=1).flatten(1).expand(len(output), -1)
        likely = output.float().log_softmax(dim=1).flatten(2).gather(1, labels[:, None])[:, 0]
        nothing = likely.new_zeros(output.shape[:2])
        counts = nothing.scatter_add(1, labels, torch.ones_like(likely))
        return nothing.scatter_add(1, labels, likely) / counts.clamp(min=1)

    def agreement(self, output: Tensor, answer: Tensor) -> float:
        sizes = self.amounts(output) + self.amounts(answer)
        both, other = (logits[0].argmax(dim=0) for logits in (output, answer))
        shared = torch.bincount(both[both == other], minlength=output.shape[1])
        present = sizes > 0
        return float((2 * shared[present] / sizes[present]).mean()) if present.any() else 1.0
