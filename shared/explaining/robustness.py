"""How far an answer holds under small changes of the view."""

from collections.abc import Sequence

import torch
from torch import Tensor

from shared.explaining.maps import gradient
from shared.explaining.reading import Evidence


def robustness(evidence: Evidence, view: Tensor, epsilons: Sequence[float]) -> tuple[Tensor, Tensor]:
    """The agreement with the answer where each value of `view`, (1, C, *S), is off by each of `epsilons`: (E) twice.

    epsilons: fractions of the view's range, which no value leaves. First by FGSM, the step that lowers the evidence for
    all that is in the answer; then by as large a step up or down at random, for comparison.
    Source: Goodfellow et al., Explaining and Harnessing Adversarial Examples, 2015, sec. 4.
    """
    found = evidence.reading.amounts(evidence.answer).nonzero()[:, 0]
    worst = -gradient(evidence, view, found).sign()
    noise = 2.0 * torch.randint_like(view, 2) - 1
    return _agreements(evidence, view, worst, epsilons), _agreements(evidence, view, noise, epsilons)


@torch.no_grad()
def _agreements(evidence: Evidence, view: Tensor, step: Tensor, epsilons: Sequence[float]) -> Tensor:
    low, high = view.min(), view.max()
    changed = [(view + epsilon * (high - low) * step).clamp(low, high) for epsilon in epsilons]
    return torch.tensor([evidence.reading.agreement(evidence.network(each), evidence.answer) for each in changed])
