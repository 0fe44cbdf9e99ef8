"""How a registered pair is looked at: turned as radiologists look, and cut into planes."""

from collections.abc import Mapping

import nibabel as nib
import numpy as np

from shared.images.file import ImageFile
from shared.tasks.registration.transforms import axes_toward

# Axes toward the patient's left, front and head: the right is then shown on the left, as radiologists look.
RADIOLOGICAL = ("L", "A", "S")
GRID_LINES = 24  # of the deformed grid, along the longer side


def upright(file: ImageFile) -> np.ndarray:
    """How the axes of an image are to be turned for the usual view: nibabel's orientation (D, 2).

    Toward the patient's left, front and head, of a slice those two that it has; of a picture, from the bottom up.
    """
    return np.array([[0, 1], [1, -1]]) if file.is_raster else axes_toward(file, RADIOLOGICAL)


def turned(array: np.ndarray, orientation: np.ndarray | None) -> np.ndarray:
    return array if orientation is None else nib.apply_orientation(array, orientation)


def all_turned(arrays: Mapping[str, np.ndarray], orientation: np.ndarray | None) -> dict[str, np.ndarray]:
    return {name: turned(array, orientation) for name, array in arrays.items()}


def turned_vectors(vectors: np.ndarray, orientation: np.ndarray | None) -> np.ndarray:
    """(D, *S): the components change places and signs with the axes."""
    if orientation is None:
        return vectors
    result = np.empty((len(vectors), *turned(vectors[0], orientation).shape))
    for component, (axis, sign) in zip(vectors, orientation.astype(int)):
        result[axis] = sign * turned(component, orientation)
    return result


def cuts_of(volume: np.ndarray) -> list[int | None]:
    """The axes across which an image is cut into planes."""
    return [None] if volume.ndim == 2 else [2, 1, 0]


def plane(volume: np.ndarray, cut: int | None) -> np.ndarray:
    """The image, or its middle slice across axis `cut`, as rows from the bottom up."""
    return (volume if cut is None else np.take(volume, volume.shape[cut] // 2, axis=cut)).T


def scaled(image: np.ndarray) -> np.ndarray:
    low, high = np.percentile(image, (0.5, 99.5))
    return np.clip((image - low) / max(high - low, 1e-6), 0, 1)


def grid_lines(displacement: np.ndarray, cut: int | None) -> list[np.ndarray]:
    """Where the lines of a regular grid on the fixed image come from in the moving one, as seen in the plane.

    Each is (N, 2): along the first axis of the plane and along the second, in voxels; first those along the first axis.
    """
    inside = [axis for axis in range(len(displacement)) if axis != cut]
    across, up = (plane(displacement[axis], cut) for axis in inside)
    rows, columns = across.shape
    points = np.stack([np.arange(columns)[None] + across, np.arange(rows)[:, None] + up], axis=-1)
    step = max(1, max(rows, columns) // GRID_LINES)
    return [*points[::step], *points[:, ::step].swapaxes(0, 1)]
