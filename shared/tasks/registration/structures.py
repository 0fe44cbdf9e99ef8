"""An affine alignment of heads by the structures that a network's guide finds in them, whatever their contrast."""

from copy import deepcopy
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch
from monai.transforms import ScaleIntensityRangePercentiles
from monai.utils import convert_to_tensor
from torch import Tensor

from shared.engine.inferers import AutocastInferer
from shared.engine.weights import load_weights
from shared.nets.voxelmorph import VoxelMorph
from shared.spatial.itk import from_itk, identity, matrix_of_grid, resample, transform_of
from shared.tasks.registration.contrasts import LEAST_MASS, SURE

MOST_MASS = 400.0  # of a structure, in voxels of the guide, above which all count alike
LEAST_STRUCTURES = 8  # in both images: an affine transform has 12 numbers, each structure gives 3
FARTHEST = 10.0  # mm between structures after the fit, as their median, above which it is none
OUTLYING = 8.0  # mm from its place at which a structure counts half
FITS = 5  # with weights after the distances of the one before

Centres = tuple[np.ndarray, np.ndarray]  # (K, D), places; (K,), masses in voxels


class StructureAligner:
    """The transform that leads from points of a fixed head to points of a moving one, by what a guide finds in both.

    The barycentres of each structure are fitted by least squares, robustly, and once more with the moving image as it
    is then aligned, which the guide knows better than one that is turned.
    network: with a guide. weights: their file, where something else runs the network, so that it has none. pixdim: mm,
    of the grids that the guide knows.
    Source: Hoffmann et al., Anatomy-specific acquisition-agnostic affine registration, SPIE Medical Imaging 2023, where
    a network learns the points. Differs: they are those of anatomical structures.
    """

    def __init__(
        self, network: VoxelMorph, *, weights: str | Path | None = None, pixdim: float = 2.0, bfloat16: bool = True
    ) -> None:
        self.network = network if weights is None else deepcopy(network)
        if weights is not None:
            load_weights(self.network, weights)
        self.pixdim = pixdim
        self.scaling = ScaleIntensityRangePercentiles(0.5, 99.5, 0.0, 1.0, clip=True)
        self.autocast = AutocastInferer(bfloat16)

    def __call__(
        self, moving: sitk.Image, fixed: sitk.Image, moving_grid: sitk.Image, fixed_grid: sitk.Image
    ) -> sitk.Transform | None:
        """None where too little is found in both. The grids are those of `pixdim` over each image."""
        there = self._centres(fixed, fixed_grid, identity(fixed))
        first = fit_affine(there, self._centres(moving, moving_grid, identity(moving)))
        if first is None:
            return None
        again = fit_affine(there, self._centres(moving, fixed_grid, transform_of(first)))
        return None if again is None else transform_of(first @ again)

    def _centres(self, image: sitk.Image, grid: sitk.Image, transform: sitk.Transform) -> Centres:
        """The structures' barycentres in mm, as `image` is seen on `grid` through `transform`."""
        seen = convert_to_tensor(self.scaling(from_itk(resample(image, grid, transform)))).float()
        device = next(self.network.parameters()).device
        with torch.no_grad():
            logits = self.autocast(seen[None].to(device), self._guide)
        places, masses = barycentres(logits[0].float().softmax(dim=0)[1:])
        matrix = matrix_of_grid(grid)
        return (2 * places + 0.5) @ matrix[:-1, :-1].T + matrix[:-1, -1], masses  # its voxels are 2 of the grid wide

    def _guide(self, image: Tensor) -> Tensor:
        logits: Tensor = self.network.eval().segmented(image)  # what runs over the cases is a copy of it
        return logits


def barycentres(maps: Tensor) -> Centres:
    """Of each of maps (K, *S) of probabilities: (K, D), in voxels, and how many voxels it has, of those that are sure.

    A map without such voxels has its place at 0.
    """
    sure = maps * (maps > SURE)
    masses = sure.flatten(1).sum(dim=1)
    axes = range(1, maps.ndim)
    lines = [sure.sum(dim=[other for other in axes if other != axis]) for axis in axes]
    means = [line @ torch.arange(line.shape[1], device=line.device).float() / masses.clamp(min=1e-6) for line in lines]
    return torch.stack(means, dim=1).double().cpu().numpy(), masses.double().cpu().numpy()


def fit_affine(fixed: Centres, moving: Centres) -> np.ndarray | None:
    """The matrix (D + 1, D + 1) from places of `fixed` to those of `moving`, or None where they do not tell one.

    The more a structure has of voxels, the more it counts, and the less, the further it is from where it should be.
    """
    mass = np.minimum(fixed[1], moving[1])
    used = mass > LEAST_MASS
    if used.sum() < LEAST_STRUCTURES:
        return None
    weights = np.sqrt(mass[used].clip(max=MOST_MASS))
    start, goal = np.c_[fixed[0][used], np.ones(used.sum())], moving[0][used]
    distances = np.zeros(len(goal))
    for _ in range(FITS):
        root = np.sqrt(weights / (1 + (distances / OUTLYING) ** 2))[:, None]
        found = np.linalg.lstsq(start * root, goal * root, rcond=None)[0]
        distances = np.linalg.norm(start @ found - goal, axis=1)
    matrix = np.vstack([found.T, [*np.zeros(goal.shape[1]), 1]])
    plausible = np.median(distances) < FARTHEST and np.linalg.det(matrix) > 0
    return matrix if plausible else None
