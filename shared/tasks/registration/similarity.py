"""How unlike two images are, and which of their voxels can be compared."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from shared.errors import InputError
from shared.spatial.warping import warp
from shared.tasks.registration.mind import descriptor_loss, self_similarity, with_all_they_see
from shared.tasks.registration.mutual_information import mutual_information_loss
from shared.tasks.registration.ncc import ncc_loss

MIND_WEIGHT = 3.0
WHOLLY = 0.999  # a share that is 1 but for rounding


def visible(inside: Tensor, displacement: Tensor | None = None) -> Tensor:
    """1 where a voxel of an image is made of voxels that it has alone, else 0; (B, 1, *S), without a gradient.

    inside: (B, 1, *S), from 0 to 1, the share of voxels that the image has. displacement: (B, D, *S), by which it was
    moved, if it was.
    """
    with torch.no_grad():
        shares = inside if displacement is None else warp(inside, displacement)
        return (shares > WHOLLY).to(inside.dtype)


def mse_loss(a: Tensor, b: Tensor, *, inside: Tensor | None = None) -> Tensor:
    """The mean squared difference of two images, of voxels that are not `inside` 0."""
    return F.mse_loss(a, b) if inside is None else F.mse_loss(a * inside, b * inside)


def no_loss(a: Tensor, b: Tensor, *, inside: Tensor | None = None) -> Tensor:
    """0: whether images look alike does not matter."""
    return 0 * a.sum()


def _as_it_is(image: Tensor) -> Tensor:
    return image


def _descriptors(image: Tensor) -> Tensor:
    """The self-similarity of the first channel of (B, N, *S), and the others as they are."""
    return torch.cat([self_similarity(image[:, :1]), image[:, 1:]], dim=1)


def _of_descriptors(a: Tensor, b: Tensor, *, window: int, inside: Tensor | None = None) -> Tensor:
    """`descriptor_loss`, and of channels that are no descriptors NCC, at a share that goes well with it."""
    dims = a.ndim - 2
    count = 2 * dims * (dims - 1)
    loss = descriptor_loss(a[:, :count], b[:, :count], inside=inside)
    if a.shape[1] == count:
        return loss
    return loss + ncc_loss(a[:, count:], b[:, count:], window=window, inside=inside) / MIND_WEIGHT


@dataclass(frozen=True)
class Similarity:
    """How unlike two images (B, N, *S) are: `loss` of `features` of each, (B, C, *S), lower for images more alike.

    N is 1, or more where the features have a meaning for it.

    What is moved are the features, which are computed once. seen: of what an image has, (B, 1, *S), what its features
    show. weight: of the loss.
    """

    loss: Callable[..., Tensor]  # of features, and perhaps `inside`, as `ncc_loss` has it
    features: Callable[[Tensor], Tensor] = _as_it_is
    seen: Callable[[Tensor], Tensor] = _as_it_is
    weight: float = 1.0

    def __call__(self, a: Tensor, b: Tensor, *, inside: Tensor | None = None) -> Tensor:
        masked = {} if inside is None else {"inside": self.seen(inside)}
        return self.compare(self.features(a), self.features(b), **masked)

    def compare(self, a: Tensor, b: Tensor, **masked: Tensor) -> Tensor:
        """The loss of two images' features."""
        return self.weight * self.loss(a, b, **masked)

    def of_pair(self, pair: Tensor) -> Tensor:
        """The features (B, 2 C, *S) of the images of a pair (B, 2 N, *S)."""
        return torch.cat([self.features(image) for image in pair.chunk(2, dim=1)], dim=1)


def similarity_named(name: str, *, window: int = 9) -> Similarity:
    """ "ncc" (in windows of `window` voxels), "mse", or for unlike contrasts "mind", self-similarity, or "mi"; "none"
    for what is learned from labels alone.

    "mind" and "mi" have a weight by which they go together with a smoothness that suits NCC. For "mind" images may have
    more channels than their own, such as what they look like in one contrast, which are compared by NCC. Raises
    InputError for another name.
    """
    similarities = {
        "ncc": Similarity(partial(ncc_loss, window=window)),
        "mse": Similarity(mse_loss),
        "mind": Similarity(
            partial(_of_descriptors, window=window), _descriptors, with_all_they_see, weight=MIND_WEIGHT
        ),
        "mi": Similarity(mutual_information_loss, weight=0.2),
        "none": Similarity(no_loss),
    }
    if name not in similarities:
        raise InputError(
            "--similarity", expected=f"one of {', '.join(similarities)}", got=repr(name), fix="choose one of these"
        )
    return similarities[name]
