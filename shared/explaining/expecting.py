"""How long the explanation of a view takes, and how much memory, before it is begun."""

import time
from dataclasses import dataclass

import torch
from torch import Tensor

from shared.engine.expectation import announcement, peak_memory
from shared.engine.kept import Kept
from shared.explaining.reading import Network, Reading

FEW = 32  # voxels along an axis up to which a piece is not cut smaller


@dataclass(frozen=True)
class Work:
    """How often an explanation asks the network for an answer, and for a gradient."""

    answers: int
    gradients: int

    @classmethod
    def of(cls, view: Tensor, *, samples: int, patches: int, epsilons: int) -> "Work":
        """For a view (1, C, *S); see `ExplainingInferer`. epsilons: how many."""
        hidden = patches ** (view.ndim - 2)
        # Besides, occlusion has the view as it is, and so has the strength of the evidence; guided backpropagation and
        # FGSM have a gradient each.
        return cls(answers=hidden + 2 + 2 * epsilons, gradients=samples + 2)


def expected(network: Network, reading: Reading, view: Tensor, answer_seconds: float, work: Work) -> str:
    """A line where the explanation of a view (1, C, *S) will take long or much memory, on the processor; else "".

    A gradient is measured of a piece of the view, half as long along each axis; time and memory go with the voxels.
    answer_seconds: of an answer for the whole view.
    """
    piece = view[(..., *(slice(max(FEW, side // 2)) for side in view.shape[2:]))]
    times = view.numel() / piece.numel()
    begun = time.perf_counter()
    kept = _kept_bytes(network, reading, piece)
    gradient_seconds = (time.perf_counter() - begun) * times
    seconds = work.answers * answer_seconds + work.gradients * gradient_seconds
    return announcement("this explanation", seconds, peak_memory() + kept * times)


def _kept_bytes(network: Network, reading: Reading, piece: Tensor) -> int:
    """What a gradient for `piece` keeps of its way there."""
    with torch.no_grad():
        answer = network(piece)
    image = piece.detach().clone().requires_grad_()
    with torch.enable_grad(), Kept() as kept:
        reading.evidence(network(image), answer).sum().backward()
    return kept.bytes
