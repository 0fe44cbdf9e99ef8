"""How long the explanation of a view takes, and how much memory, before it is begun."""

import time
from dataclasses import dataclass

import torch
from torch import Tensor

from shared.engine.expectation import announcement, peak_memory
from shared.engine.kept import Kept
from shared.explaining.reading import Network, Reading

PASSING = 2.0  # what a gradient takes, as a multiple of what it keeps: the rest is let go on the way back
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

    What a gradient takes is measured of a piece of the view, half as long along each axis.
    answer_seconds: of an answer for the whole view.
    """
    half: tuple = (..., *(slice(max(FEW, side // 2)) for side in view.shape[2:]))
    piece = view[half]
    as_long, kept = _gradient(network, reading, piece)
    seconds = (work.answers + as_long * work.gradients) * answer_seconds
    memory = peak_memory() + PASSING * kept * view.numel() / piece.numel()
    return announcement("this explanation", seconds, memory)


def _gradient(network: Network, reading: Reading, piece: Tensor) -> tuple[float, int]:
    """Of a gradient for `piece`: how many times as long as an answer it takes, and the bytes that it keeps meanwhile.

    The processor's time is taken, which other programs do not lengthen.
    """
    begun = time.process_time()
    with torch.no_grad():
        answer = network(piece)
    answered = time.process_time()
    image = piece.detach().clone().requires_grad_()
    with torch.enable_grad(), Kept() as kept:
        reading.evidence(network(image), answer).sum().backward()
    return (time.process_time() - answered) / max(answered - begun, 1e-6), kept.bytes
