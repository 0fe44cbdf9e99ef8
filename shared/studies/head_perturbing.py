"""Ways in which a scan of a head may be worse than a quiet one of the whole, upright head in cubic voxels."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import nibabel as nib
import numpy as np
import torch
from scipy import ndimage

from shared.images.file import ImageFile
from shared.synthesis.acquiring import along, slice_profile
from shared.synthesis.ranges import Ranges
from shared.synthesis.shape import knots_of, smooth_field
from shared.tasks.segmentation.locating import scaled_to_one

FWHM = 1 / math.sqrt(8 * math.log(2))  # standard deviation of a Gaussian of full width 1 at half its maximum
AIR = 0.05  # of the range of intensities, below which a voxel is left dark by an inversion of the head alone


@dataclass(frozen=True)
class Head:
    """A scan, and `reference`, (*S), the class of each of its voxels. number: chooses axes and seeds what is random."""

    image: ImageFile
    reference: np.ndarray
    number: int = 0

    @property
    def axis(self) -> int:
        """The axis along which this head is made worse, another from one head to the next."""
        return self.number % 3

    @property
    def spacing(self) -> list[float]:
        """mm, of each axis."""
        return [float(size) for size in nib.affines.voxel_sizes(self.image.affine)]

    def scaled(self) -> np.ndarray:
        """(*S), float32: see `scaled_to_one`."""
        return scaled_to_one(self.image.values[0])

    def with_values(self, values: np.ndarray) -> "Head":
        """With other intensities, (*S), on the same grid."""
        return replace(self, image=replace(self.image, values=values[None].astype(np.float32)))

    def on_grid(self, values: np.ndarray, reference: np.ndarray, to_former: np.ndarray) -> "Head":
        """Seen on another grid, of which `to_former` (4, 4) gives each voxel's place on this one."""
        image = ImageFile(self.image.path, values[None].astype(np.float32), self.image.affine @ to_former)
        return replace(self, image=image, reference=reference)


def thicken_slices(head: Head, level: float) -> Head:
    """Slices `level` mm thick and apart along one axis; each sees a Gaussian as wide, at half its maximum, as it is."""
    size, spacing = head.image.shape[head.axis], head.spacing[head.axis]
    offset = (level - spacing) / 2
    profile = slice_profile(size, spacing, step=level, offset=offset, deviation=FWHM * level)
    values = along(profile, torch.from_numpy(head.image.values[0]), head.axis).numpy()
    centres = (offset + level * np.arange(len(profile))) / spacing
    to_former = np.eye(4)
    to_former[head.axis, head.axis], to_former[head.axis, 3] = level / spacing, centres[0]
    return head.on_grid(values, head.reference.take(np.rint(centres).astype(int), head.axis), to_former)


def add_noise(head: Head, level: float) -> Head:
    """Noise of a magnitude image (Rician) whose two parts have a standard deviation of `level`, of the range."""
    real, imaginary = np.random.default_rng(head.number).normal(0, level, (2, *head.image.shape))
    return head.with_values(np.hypot(head.scaled() + real, imaginary))


def add_bias(head: Head, level: float) -> Head:
    """A bias field whose logarithm has a standard deviation of `level` at knots as far apart as in training."""
    size, rng = head.image.shape, torch.Generator().manual_seed(head.number)
    knots = knots_of(size, float(np.mean(head.spacing)), Ranges().bias_spacing)
    return head.with_values(head.scaled() * np.exp(level * smooth_field(1, size, knots, rng)[0, 0].numpy()))


def rotate(head: Head, level: float) -> Head:
    """Scanned on a grid turned by `level` degrees around one axis, as its affine says, which holds all of the head."""
    turn = np.eye(3)
    plane = [axis for axis in range(3) if axis != head.axis]
    cosine, sine = math.cos(math.radians(level)), math.sin(math.radians(level))
    turn[np.ix_(plane, plane)] = [[cosine, -sine], [sine, cosine]]
    in_voxels = np.diag(1 / np.array(head.spacing)) @ turn @ np.diag(head.spacing)
    former = np.array(head.image.shape)
    shape = np.ceil(np.abs(np.linalg.inv(in_voxels)) @ former - 1e-6).astype(int)
    to_former = np.eye(4)
    to_former[:3, :3] = in_voxels
    to_former[:3, 3] = (former - 1) / 2 - in_voxels @ ((shape - 1) / 2)
    values, reference = (
        ndimage.affine_transform(volume, to_former, output_shape=tuple(shape), order=order, mode="grid-constant")
        for volume, order in ((head.image.values[0], 1), (head.reference, 0))
    )
    return head.on_grid(values, reference, to_former)


def cut(head: Head, level: float) -> Head:
    """Without `level` of the field of view, at one end of one axis."""
    size = head.image.shape[head.axis]
    lost = round(level * size)
    start = lost if head.number // 3 % 2 else 0
    kept = np.arange(start, start + size - lost)
    to_former = np.eye(4)
    to_former[head.axis, 3] = start
    values, reference = (volume.take(kept, head.axis) for volume in (head.image.values[0], head.reference))
    return head.on_grid(values, reference, to_former)


def invert(head: Head, level: float) -> Head:
    """What is bright is dark: of the head alone with a `level` of 1, of the air, too, with 2."""
    values = head.scaled()
    return head.with_values(np.where(values > AIR, 1 + AIR - values, values) if level < 2 else 1 - values)


@dataclass(frozen=True)
class Perturbation:
    """change: what is done at a level. untouched: the level of a head as it is. levels: those tried, mildest first.

    names: what stands at the levels in figures, from `untouched` on, where their numbers say nothing.
    """

    change: Callable[[Head, float], Head]
    untouched: float
    levels: tuple[float, ...]
    names: tuple[str, ...] = ()


# By what a figure calls them.
PERTURBATIONS = {
    "slice thickness (mm)": Perturbation(thicken_slices, 2.0, (3.0, 4.0, 5.0, 7.0)),
    "noise (sd, share of range)": Perturbation(add_noise, 0.0, (0.05, 0.1, 0.2)),
    "bias field (sd of log)": Perturbation(add_bias, 0.0, (0.25, 0.5, 1.0)),
    "rotation (degrees)": Perturbation(rotate, 0.0, (15.0, 30.0, 45.0)),
    "field of view cut (share)": Perturbation(cut, 0.0, (0.15, 0.33)),
    "inverted contrast": Perturbation(invert, 0.0, (1.0, 2.0), ("no", "head", "all")),
}
