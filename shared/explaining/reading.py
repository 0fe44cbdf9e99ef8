"""How what a network gives is read when it is explained: what each task says of its own output."""

from collections.abc import Callable
from typing import Any, Protocol

from torch import Tensor, nn

Network = Callable[..., Any]


class Reading(Protocol):
    """What the output of a network says. K: the classes.

    An answer is the output for the view that is explained, of one image; outputs of perturbed views are held
    against it.
    """

    def amounts(self, output: Any) -> Tensor:
        """(K): how much of each class is found in one image, in voxels or objects; 0 of a background."""

    def evidence(self, output: Any, answer: Any) -> Tensor:
        """(B, K): how strongly each class of the answer is seen; it can be differentiated."""

    def agreement(self, output: Any, answer: Any) -> float:
        """How far the output of one image says what the answer does: 1 where it says the same, 0 where nothing is."""


class Evidence(nn.Module):
    """What a network's output says for each class of an answer: images (B, C, *S) to (B, K), as of a classifier."""

    def __init__(self, network: nn.Module, reading: Reading, answer: Any) -> None:
        super().__init__()
        self.network = network
        self.reading = reading
        self.answer = answer
        self.eval()  # or MONAI, once done, would put the network back into training, as a new module is

    def forward(self, image: Tensor) -> Tensor:
        return self.reading.evidence(self.network(image), self.answer)


class Looks:
    """A network that remembers, of all images that an inferer shows it, the one in which most is found.

    So a view is what the network really sees: a tile, resized and scaled as the bundle does that.
    best: (1, C, *S), or None where nothing was found in any.
    """

    def __init__(self, network: Network, reading: Reading) -> None:
        self.network = network
        self.reading = reading
        self.best: Tensor | None = None
        self.most = 0.0

    def __call__(self, image: Tensor, *args: object, **kwargs: object) -> Any:
        output = self.network(image, *args, **kwargs)
        amount = float(self.reading.amounts(output).sum())
        if amount > self.most:
            self.best, self.most = image[:1].detach().clone(), amount
        return output


def count_agreement(counts: Tensor, expected: Tensor) -> float:
    """By how much objects of each class, (K), are as many as expected: 1 where all are, 0 where none is."""
    either = counts.maximum(expected).sum()
    return float(counts.minimum(expected).sum() / either) if either else 1.0
