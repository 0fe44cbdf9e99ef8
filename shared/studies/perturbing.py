"""Ways in which an image may be worse than those that a network was trained on."""

from collections.abc import Callable

import numpy as np
from scipy import ndimage

GRAY_LEVELS = 255  # to which a perturbed image is rounded, as if it had been written to an 8-bit file
PATCHES_A_SIDE = 16

Perturbation = Callable[[np.ndarray, float, np.random.Generator], np.ndarray]


def add_noise(image: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    """Gaussian noise of standard deviation `level`."""
    return image + rng.normal(0, level, image.shape)


def blur(image: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    """A Gaussian blur of sigma `level`, in pixels."""
    return ndimage.gaussian_filter(image, (0, *[level] * (image.ndim - 1)))


def change_contrast(image: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    """Contrast around the mean times `level`; what leaves the range saturates."""
    return (image - image.mean()) * level + image.mean()


def change_brightness(image: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    """`level` added; what leaves the range saturates."""
    return image + level


def remove_patches(image: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    """Squares, a 16th of the shorter side wide and `level` of the area in all, are black."""
    side = max(1, min(image.shape[1:]) // PATCHES_A_SIDE)
    grid = [s // side for s in image.shape[1:]]
    lost = np.zeros(int(np.prod(grid)), dtype=bool)
    lost[rng.permutation(len(lost))[: round(level * len(lost))]] = True
    mask = np.kron(lost.reshape(grid), np.ones([side] * len(grid), dtype=bool))
    mask = np.pad(mask, [(0, s - m) for s, m in zip(image.shape[1:], mask.shape)])
    return np.where(mask, 0, image)


# Name in a figure -> the perturbation, and the levels that are tried, mildest first.
PERTURBATIONS: dict[str, tuple[Perturbation, tuple[float, ...]]] = {
    "Gaussian noise (sd)": (add_noise, (0.05, 0.1, 0.2)),
    "blur (sigma, px)": (blur, (1.0, 2.0, 3.0)),
    "contrast (factor)": (change_contrast, (1.5, 2.5, 4.0)),
    "brightness (added)": (change_brightness, (0.2, 0.4, 0.6)),
    "missing patches (share)": (remove_patches, (0.02, 0.05, 0.1)),
}


def perturb(image: np.ndarray, name: str, level: float, rng: np.random.Generator) -> np.ndarray:
    """`image` (C, *S) under the perturbation of that name in PERTURBATIONS, in the units of `image`.

    Levels are shares of the image's range, from its 0.5 to its 99.5 percentile; outside it the result saturates, and
    it is rounded to 256 steps.
    """
    low, high = np.percentile(image, (0.5, 99.5))
    scale = max(float(high - low), 1e-6)
    changed = PERTURBATIONS[name][0](np.clip((image - low) / scale, 0, 1), level, rng)
    steps = np.round(np.clip(changed, 0, 1) * GRAY_LEVELS) / GRAY_LEVELS
    return (steps * scale + low).astype(np.float32)
