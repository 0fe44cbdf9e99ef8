"""What a registration network is trained for: images that look alike, smooth fields, labels that overlap."""

from collections.abc import Callable, Mapping, Sequence
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from shared.errors import InputError
from shared.spatial.warping import resize, warp
from shared.tasks.registration.fields import diffusion
from shared.tasks.registration.ncc import ncc_loss
from shared.tasks.registration.similarity import Similarity, visible


class RegistrationLoss(nn.Module):
    """The loss of a registered pair: dissimilarity + smoothness · diffusion + overlap · (1 - soft Dice).

    registered: {"velocity", "there", "back"}, each (B, D, *S), or without "back", and perhaps "guide", logits
    (B, 2 K, *S / 2), see `BothWays`, and "smoothness", which multiplies the weight of that. batch: {"image":
    (B, 2, *S)}, moving and fixed, and, for the Dice, "label": (B, 2, *S), ids, or "maps": (B, 2 C, *S'), the
    probabilities of C structures; all are brought to the grid of the displacements; without both the last term is left
    out. "inside": (B, 1, *S), if the moving image has not all of the grid, 1 where it has it; the rest counts in no
    term but smoothness.
    similarity: of two images (B, 1, *S), lower for those that are more alike; of a `Similarity`, features are warped.
    Of both ways the mean counts; with one alone, overlap is bought by swelling what is moved.
    ignore_zeros: where one of them is 0, as in the margin of a padded crop, both count as 0, so that the edges of crops
    are not drawn to one another. guidance: weight of the guide's Dice and cross-entropy, where it has labels to learn;
    without displacements they are all of the loss.
    Raises InputError for labels that the guide has no class for, or where there is nothing to learn from.
    Source: Balakrishnan et al., IEEE TMI 38 (2019), eq. 3 and 9; both ways as in Dalca et al., Medical Image Analysis
    57 (2019).
    """

    def __init__(
        self,
        similarity: Callable[..., Tensor] = ncc_loss,
        *,
        smoothness: float = 1.0,
        overlap: float = 0.0,
        ignore_zeros: bool = False,
        guidance: float = 1.0,
    ) -> None:
        super().__init__()
        self.similarity = similarity if isinstance(similarity, Similarity) else Similarity(similarity)
        self.smoothness = smoothness
        self.overlap = overlap
        self.ignore_zeros = ignore_zeros
        self.guidance = guidance

    def forward(self, registered: Mapping[str, Tensor], batch: Mapping[str, Tensor]) -> Tensor:
        ways = {"there": (0, 1), "back": (1, 0)}  # which image, or label, is moved onto which
        losses = [self._of_one_way(registered[way], batch, *ways[way]) for way in ways if way in registered]
        terms = []
        if losses:
            smoothness = self.smoothness * registered.get("smoothness", 1.0)
            terms += [torch.stack(losses).mean(), smoothness * diffusion(registered["velocity"])]
        if "guide" in registered and "label" in batch:
            terms.append(self.guidance * self._of_guide(registered["guide"], batch["label"]))
        if not terms:
            raise InputError("--learn", expected="labels, from which a guide learns", got="none", fix="add label maps")
        return torch.stack(terms).sum()

    def _of_one_way(self, displacement: Tensor, batch: Mapping[str, Tensor], moving: int, fixed: int) -> Tensor:
        size = displacement.shape[2:]
        inside = None
        if "inside" in batch:  # of what is sampled on the way there, of what it is compared with on the way back
            seen = resize(self.similarity.seen(batch["inside"]), size)
            inside = visible(seen, displacement if moving == 0 else None)
        features = resize(self.similarity.of_pair(batch["image"]), size).chunk(2, dim=1)
        moved, there = warp(features[moving], displacement), features[fixed]
        if self.ignore_zeros:
            images = resize(batch["image"], size).split(1, dim=1)
            both = _in_both(images[moving], images[fixed], displacement)
            moved, there = moved * both, there * both
        loss = self.similarity.compare(moved, there, **({} if inside is None else {"inside": inside}))
        for key, dice_loss in (("label", soft_dice_loss), ("maps", dice_loss_of_maps)):
            if self.overlap and key in batch:
                pair = batch[key].chunk(2, dim=1)
                loss = loss + self.overlap * dice_loss(pair[moving], pair[fixed], displacement, inside)
        return loss

    def _of_guide(self, logits: Tensor, label: Tensor) -> Tensor:
        """Cross-entropy and 1 - Dice, with the share that each class has of a voxel of the guide's."""
        logits = logits.float().unflatten(1, (2, -1)).flatten(0, 1)
        classes = logits.shape[1]
        if int(label.max()) >= classes:
            raise InputError(
                "label", expected=f"ids from 0 to {classes - 1}, which the guide segments",
                got=int(label.max()), fix="give as many --network_def#guide#out_channels",
            )  # fmt: skip
        channels = torch.arange(classes, device=label.device).reshape(1, -1, *[1] * (label.ndim - 2))
        shares = maps_of(label.flatten(0, 1)[:, None], channels, logits.shape[2:])
        inside = tuple(range(2, logits.ndim))
        probabilities = logits.softmax(dim=1)
        overlap = 2 * (probabilities * shares).sum((0, *inside))
        total = (probabilities.square() + shares.square()).sum((0, *inside))
        dice = (overlap / total.clamp(min=1e-6))[1:].mean()
        return F.cross_entropy(logits, shares) + 1 - dice


def soft_dice_loss(
    moving_label: Tensor, fixed_label: Tensor, displacement: Tensor, inside: Tensor | None = None
) -> Tensor:
    """1 - the mean Dice of the labels that both maps (B, 1, *S) of a pair hold, the moving one's warped linearly.

    Background, 0, does not count; without a label in common it is 0. inside: (B, 1, *S), 0 where no voxel counts.
    Source: Balakrishnan et al., IEEE TMI 38 (2019), eq. 8.
    """
    ids = fixed_label.unique()
    channels = ids[ids > 0].reshape(1, -1, *[1] * (fixed_label.ndim - 2))
    moving, fixed = (maps_of(label, channels, displacement.shape[2:]) for label in (moving_label, fixed_label))
    return dice_loss_of_maps(moving, fixed, displacement, inside)


def maps_of(label: Tensor, ids: Tensor, size: Sequence[int]) -> Tensor:
    """The share of each of `ids`, (1, C, 1, …), in the voxels of `size` of a label map (B, 1, *S): (B, C, *size)."""
    if list(label.shape[2:]) != [2 * s for s in size]:
        return resize((label == ids).float(), size)
    total = torch.zeros(len(label), ids.shape[1], *size, device=label.device)
    corners = [*product((0, 1), repeat=len(size))]
    for corner in corners:  # of the whole map at once it would take 20 times as long
        places: tuple = (..., *(slice(c, None, 2) for c in corner))
        total += label[places] == ids
    return total / len(corners)


def dice_loss_of_maps(moving: Tensor, fixed: Tensor, displacement: Tensor, inside: Tensor | None = None) -> Tensor:
    """What `soft_dice_loss` is, of maps (B, C, *S) from 0 to 1; those that are empty in an image do not count."""
    moving, fixed = (resize(maps, displacement.shape[2:]) for maps in (moving, fixed))
    moved = warp(moving, displacement)
    if inside is not None:
        moved, fixed = moved * inside, fixed * inside
    space = tuple(range(2, moved.ndim))
    dice = 2 * (moved * fixed).sum(space) / (moved.sum(space) + fixed.sum(space)).clamp(min=1e-6)
    in_both = (moving.sum(space) * fixed.sum(space) > 0).float()
    return ((1 - dice) * in_both).sum() / in_both.sum().clamp(min=1)


def _in_both(moving: Tensor, fixed: Tensor, displacement: Tensor) -> Tensor:
    """Where neither image (B, 1, *S) is 0, the first of them moved."""
    moved = warp((moving != 0).to(moving.dtype), displacement)
    return (moved.detach() > 0.5) & (fixed != 0)
