"""Joint label fusion: weights of atlases by how likely two of them err together."""

from itertools import product

import numpy as np
import torch
from torch import Tensor

PATCH = 2  # radius, in voxels, of what is compared around a voxel, as in antsJointFusion
SEARCH = 1  # radius, in voxels, within which an atlas is looked at for the most similar patch; antsJointFusion has 3
REGULARISATION, POWER = 0.1, 2.0  # α and β of the dependency matrix, as in antsJointFusion
CHUNK = 2**24  # numbers at once, by which memory is bounded


def joint_weights(target: np.ndarray, images: np.ndarray, votes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights of atlases at each voxel, (N, *S), float32, whose sum is 1, and the votes to which they belong.

    target: (*S). images: (N, *S), atlases on its grid. votes: (N, *S), their labels. A vote comes from that voxel in
    the neighbourhood around which the atlas is the most similar. Where all atlases agree they count the same.
    Source: Wang et al., IEEE TPAMI 35 (2013): weights of the least expected error, M⁻¹1 / 1ᵀM⁻¹1, whose dependency
    matrix M is of absolute differences of normalised patches; local search. Differs: a narrower search, for speed.
    """
    margin = PATCH + SEARCH
    padded_target = np.pad(target, margin, mode="edge")
    padded = np.pad(images, [(0, 0), *[(margin, margin)] * target.ndim], mode="edge")
    disputed = np.argwhere((votes != votes[:1]).any(axis=0))
    weights = np.full(votes.shape, 1 / len(votes), dtype=np.float32)
    found = votes.copy()
    if not len(disputed):
        return weights, found
    strides = np.array(padded_target.strides) // padded_target.itemsize
    patch, search = (_offsets(radius, strides) for radius in (PATCH, SEARCH))
    flat_votes = np.pad(votes, [(0, 0), *[(margin, margin)] * target.ndim], mode="edge").reshape(len(votes), -1)
    rows = max(1, CHUNK // (len(patch) * len(search)))
    for start in range(0, len(disputed), rows):
        voxels = disputed[start : start + rows]
        places = torch.as_tensor((voxels + margin) @ strides)
        differences, best = _differences(
            torch.as_tensor(padded_target).flatten(), torch.as_tensor(padded).flatten(1), places, patch, search
        )
        at = (slice(None), *voxels.T)
        weights[at] = _weights(differences).T.numpy()
        found[at] = np.take_along_axis(flat_votes, best.numpy(), axis=1)
    return weights, found


def _differences(
    target: Tensor, images: Tensor, places: Tensor, patch: Tensor, search: Tensor
) -> tuple[Tensor, Tensor]:
    """Absolute differences of patches, (V, N, P), and the places of those of the atlases that are the most similar.

    target: (X,); images: (N, X); places: (V,), of voxels in X; patch, search: offsets in X. The places are (N, V).
    """
    seen = _normalised(target[places[:, None] + patch])
    differences, best = [], []
    for image in images:
        candidates = _normalised(image[places[:, None, None] + search[:, None] + patch])  # (V, searched, P)
        likeness = torch.einsum("vsp,vp->vs", candidates, seen)
        chosen = likeness.argmax(dim=1)
        differences.append((candidates[torch.arange(len(places)), chosen] - seen).abs())
        best.append(places + search[chosen])
    return torch.stack(differences, dim=1), torch.stack(best)


def _weights(differences: Tensor) -> Tensor:
    """(V, N): what minimises the expected error, by how much atlases differ from the target at the same voxels."""
    together = (differences @ differences.mT / differences.shape[-1]) ** POWER
    matrix = together + REGULARISATION * torch.eye(together.shape[-1])
    solved = torch.linalg.solve(matrix, torch.ones(matrix.shape[:-1]))
    return solved / solved.sum(dim=1, keepdim=True)


def _normalised(patches: Tensor) -> Tensor:
    """Patches (…, P) of mean 0 and variance 1; one of a single value becomes 0."""
    centred = patches - patches.mean(dim=-1, keepdim=True)
    return centred / centred.square().mean(dim=-1, keepdim=True).sqrt().clamp(min=1e-6)


def _offsets(radius: int, strides: np.ndarray) -> Tensor:
    """Of the voxels within `radius` along each axis, in a flat image; that in the middle comes first."""
    around = sorted(product(range(-radius, radius + 1), repeat=len(strides)), key=lambda step: np.abs(step).sum())
    return torch.as_tensor(np.array(around) @ strides)
