"""Volumes that are no heads, of which a segmentation of heads should say so."""

from pathlib import Path

import numpy as np

from shared.images.file import ImageFile


def photograph() -> ImageFile:
    """As a volume of one slice."""
    rows, columns = np.mgrid[:200, :300]
    noise = np.random.default_rng(0).normal(0, 0.2, (200, 300))
    return _volume("photograph", (np.sin(columns / 20) + np.cos(rows / 13) + noise)[..., None], 1.0)


def knee() -> ImageFile:
    """A cylinder of skin, flesh and bone with a gap, of 2 mm voxels."""
    x, y, z = np.mgrid[:90, :80, :90].astype(np.float32)
    radius = np.hypot(x - 45, y - 40)
    values = np.select([radius < 14, radius < 28, radius < 32], [230, 90, 200], 0)
    return _volume("knee", np.where(abs(z - 45) < 3, values / 2, values), 2.0)


def noise() -> ImageFile:
    """Gaussian, of 3 mm voxels."""
    return _volume("noise", np.random.default_rng(0).normal(size=(60, 60, 60)), 3.0)


NO_HEADS = {"a photograph": photograph, "a knee": knee, "noise": noise}


def _volume(name: str, values: np.ndarray, spacing: float) -> ImageFile:
    return ImageFile(Path(name), values[None].astype(np.float32), np.diag([spacing, spacing, spacing, 1.0]))
