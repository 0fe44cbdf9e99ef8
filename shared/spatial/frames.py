"""Where slices lie: from the 2-D frame in which ITK has one, to the patient, to the frame of another.

A volume's points are the patient's. A slice stored as a volume is, for ITK, a 2-D image with direction identity and
origin zero, since ITK cannot read the displacement field of a one-slice volume; its own affine is what is lost there. A
file of two dimensions is what ITK reads from it: its points are the first two coordinates of the patient.
"""

import nibabel as nib
import numpy as np

from shared.errors import InputError
from shared.images.file import ImageFile

RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
LARGEST_TILT = 45.0  # degrees between the planes of two slices that show the same
SAME = 1e-5  # of the entries of a matrix: headers hold float32


def flat_grid(file: ImageFile) -> tuple[np.ndarray, np.ndarray]:
    """The origin (2,) and the direction (2, 2) of a slice as ITK has it."""
    directions = _directions(file)[:2, :2]
    lengths = np.linalg.norm(directions, axis=0)
    if len(file.shape) == 2 and lengths.min() > SAME and abs(np.linalg.det(directions / lengths)) > SAME:
        return (RAS_TO_LPS @ file.affine)[:2, 3], directions / lengths
    return np.zeros(2), np.eye(2)  # of a file of two dimensions, too, whose plane ITK does not know


def between(fixed: ImageFile, moving: ImageFile) -> np.ndarray:
    """(D + 1, D + 1): from points of the fixed image to those of the moving one at the same place of the patient.

    Points are those of `to_itk`, D its dimensions. It is the identity but for slices whose affines differ: of their
    planes one is laid onto the other, at the centre of the fixed slice, without a change of size. Pictures have no
    place: theirs are those of their pixels. Raises InputError for slices across one another.
    """
    if fixed.is_raster or moving.is_raster or not (_is_flat(fixed) and _is_flat(moving)):
        return np.eye(len(_seen_axes(fixed)) + 1)
    of_fixed, of_moving = to_patient(fixed), to_patient(moving)
    u, shares, v = np.linalg.svd(of_moving[:3, :2].T @ of_fixed[:3, :2])
    if shares.min() < np.cos(np.radians(LARGEST_TILT)):
        raise InputError(
            moving.path, expected=f"a slice in a plane near that of {fixed.path}",
            got=f"one {np.degrees(np.arccos(shares.min().clip(0, 1))):.0f}° from it",
            fix="give two slices of one orientation, or correct the affine",
        )  # fmt: skip
    origin, direction = flat_grid(fixed)
    half = (np.array(_sizes(fixed)) - 1) / 2
    centre = origin + direction @ (half * _spacing(fixed))
    matrix = np.eye(3)
    matrix[:2, :2] = u @ v
    place = of_fixed[:3, :2] @ centre + of_fixed[:3, 2] - of_moving[:3, 2]
    matrix[:2, 2] = of_moving[:3, :2].T @ place - matrix[:2, :2] @ centre
    return np.eye(3) if np.allclose(matrix, np.eye(3), rtol=0, atol=SAME) else matrix


def _is_flat(file: ImageFile) -> bool:
    return len(_seen_axes(file)) == 2


def _seen_axes(file: ImageFile) -> list[int]:
    """The axes of an image that ITK is given: two of a slice or picture, which is as thin as a voxel along a third."""
    shape = (*file.shape, 1)[:3]
    thin = shape.index(1) if 1 in shape else None
    return [axis for axis in range(3) if axis != thin]


def _sizes(file: ImageFile) -> list[int]:
    return [(*file.shape, 1)[axis] for axis in _seen_axes(file)]


def _spacing(file: ImageFile) -> np.ndarray:
    return nib.affines.voxel_sizes(file.affine)[_seen_axes(file)]


def _directions(file: ImageFile) -> np.ndarray:
    """(3, D): unit vectors of the patient, LPS, along the axes that ITK is given."""
    return (RAS_TO_LPS @ file.affine)[:3, _seen_axes(file)] / _spacing(file)


def to_patient(file: ImageFile) -> np.ndarray:
    """(3, 3): what leads from a point (x, y, 1) of a slice as ITK has it to the patient, LPS."""
    origin, direction = flat_grid(file)
    turn = _directions(file) @ np.linalg.inv(direction)
    return np.column_stack([turn, (RAS_TO_LPS @ file.affine)[:3, 3] - turn @ origin])
