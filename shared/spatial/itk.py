"""ITK displacement fields as NIfTI files: what ANTs, SimpleITK and 3D Slicer apply unaided.

Inside the zoo a displacement is in voxels of the fixed grid, channel i along axis i. In the file it is in millimetres,
LPS (x to the patient's left, y to the back), on the fixed image's grid: the vector from a point of the fixed image to
where the moving image is sampled.
"""

from pathlib import Path

import nibabel as nib
import numpy as np

from shared.data.reading import load_nifti
from shared.errors import InputError
from shared.files import write_atomically

LPS = np.array([-1.0, -1.0, 1.0])  # RAS to LPS and back


def write_displacement(path: str | Path, displacement: np.ndarray, affine: np.ndarray) -> Path:
    """Write a displacement (3, X, Y, Z), in voxels, as the ITK field of a volume of `affine` (voxels to mm, RAS)."""
    if displacement.ndim != 4 or len(displacement) != 3:
        raise ValueError(f"expected a displacement (3, X, Y, Z), got {displacement.shape}")
    return _write(path, np.einsum("ij,jxyz->xyzi", affine[:3, :3], displacement) * LPS, affine)


def write_plane_displacement(path: str | Path, displacement: np.ndarray, spacing: tuple[float, float]) -> Path:
    """Write a displacement (2, X, Y), in pixels, as the two-component field of a 2-D image.

    ITK cannot read the field of a one-slice volume, so a slice is taken for what SimpleITK makes of a 2-D image:
    direction identity, origin zero, `spacing` in mm along X and Y. The first axis is ITK's x: give a picture's
    columns first.
    """
    if displacement.ndim != 3 or len(displacement) != 2:
        raise ValueError(f"expected a displacement (2, X, Y), got {displacement.shape}")
    vectors = np.moveaxis(displacement, 0, -1)[:, :, None] * np.asarray(spacing)
    # ITK's axes are LPS and NIfTI's RAS: the identity of the one is this of the other.
    return _write(path, vectors, np.diag([-spacing[0], -spacing[1], 1.0, 1.0]))


def read_displacement(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """An ITK field as a displacement (3, X, Y, Z) in voxels, or (2, X, Y), and the affine of its grid (mm, RAS).

    Raises InputError where the file is no displacement field.
    """
    image = load_nifti(path)
    shape = image.shape
    if len(shape) != 5 or shape[3] != 1 or shape[4] not in (2, 3) or image.header.get_intent()[0] != "vector":
        raise InputError(
            path, expected="a 5-D NIfTI file of vectors, as ITK writes displacement fields", got=f"{shape}",
            fix="give displacement.nii.gz",
        )  # fmt: skip
    vectors = np.asarray(image.dataobj, dtype=np.float64)[:, :, :, 0]
    if shape[4] == 2:
        spacing = np.abs(np.diag(image.affine)[:2])
        return np.moveaxis(vectors[:, :, 0] / spacing, -1, 0), image.affine
    return np.einsum("ij,xyzj->ixyz", np.linalg.inv(image.affine[:3, :3]), vectors * LPS), image.affine


def _write(path: str | Path, vectors: np.ndarray, affine: np.ndarray) -> Path:
    image = nib.Nifti1Image(vectors[:, :, :, None].astype(np.float32), affine)
    image.header.set_intent("vector")
    image.header.set_xyzt_units("mm")
    return write_atomically(path, lambda temporary: nib.save(image, temporary))
