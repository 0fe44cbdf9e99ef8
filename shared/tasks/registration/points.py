"""Points of the moving image, such as landmarks, carried along onto the fixed one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from shared.errors import InputError
from shared.files import read_table, write_table
from shared.images.file import ImageFile
from shared.spatial.frames import to_patient
from shared.spatial.inverting import before_field
from shared.spatial.itk import matrix_of_grid

AXES = ("x", "y", "z")
SPACE = "space"
SIGNS = {"LPS": (1.0, 1.0, 1.0), "RAS": (-1.0, -1.0, 1.0)}  # to LPS and back


@dataclass(frozen=True)
class Points:
    """Points in mm, LPS: (N, 3), and the rows of the table that they are from."""

    values: np.ndarray
    rows: Sequence[dict[str, str]]

    def write(self, path: str | Path, *, inside: Sequence[bool]) -> Path:
        """Write the rows with these points in place of theirs, in the same spaces, and whether each is `inside`."""
        signed = [value * SIGNS[row[SPACE].upper()] for value, row in zip(self.values, self.rows)]
        rows = [
            {**row, **{axis: f"{v:.4f}" for axis, v in zip(AXES, value)}, "inside": str(bool(within))}
            for row, value, within in zip(self.rows, signed, inside)
        ]
        return write_table(path, rows)


def read_points(path: str | Path) -> Points:
    """Read a CSV with the columns x, y, z, in mm, and space, LPS or RAS, which are kept with any others.

    LPS is what ITK, ANTs and 3D Slicer's files have, RAS what nibabel has. Raises InputError for anything else.
    """
    rows = read_table(path)
    expected = "the columns x, y, z (mm) and space (LPS or RAS)"
    if not rows or {*AXES, SPACE} - rows[0].keys():
        raise InputError(
            path, expected=expected, got=", ".join(rows[0]) if rows else "no such table, or no rows",
            fix="name the columns so",
        )  # fmt: skip
    for number, row in enumerate(rows, start=2):  # as a spreadsheet numbers them
        if row[SPACE].upper() not in SIGNS:
            raise InputError(f"{path}, line {number}", expected="LPS or RAS", got=row[SPACE], fix="correct it")
    try:
        values = np.array([[float(row[axis]) for axis in AXES] for row in rows])
    except ValueError as error:
        raise InputError(path, expected="numbers in x, y and z", got=str(error), fix="correct them") from error
    return Points(values * np.array([SIGNS[row[SPACE].upper()] for row in rows]), rows)


def carried(points: Points, field: sitk.Image, *, moving: ImageFile, fixed: ImageFile) -> tuple[Points, list[bool]]:
    """`points` of the moving image where the registration by `field` puts them on the fixed one.

    Also whether each is within the fixed image; of one outside, the field is as at the border. A point beside a slice
    keeps its distance from the plane. Raises InputError for pictures, which have no place in a patient.
    """
    for file in (moving, fixed):
        if file.is_raster:
            raise InputError(
                file.path, expected="volumes, with points in mm", got="a picture", fix="leave out --points"
            )
    if field.GetDimension() == 3:
        found = before_field(points.values, field)
        return replace(points, values=found), _inside(found, field)
    start, end = to_patient(moving), to_patient(fixed)  # (3, 3): (x, y, 1) of a slice to the patient
    frames = [np.column_stack([m[:, :2], np.cross(m[:, 0], m[:, 1])]) for m in (start, end)]
    flat = (points.values - start[:, 2]) @ np.linalg.inv(frames[0]).T
    found = before_field(flat[:, :2], field)
    return replace(points, values=np.column_stack([found, flat[:, 2]]) @ frames[1].T + end[:, 2]), _inside(found, field)


def _inside(points: np.ndarray, field: sitk.Image) -> list[bool]:
    """Whether each point is no further than half a voxel outside the centres of the field's voxels."""
    matrix = np.linalg.inv(matrix_of_grid(field))
    voxels = points @ matrix[:-1, :-1].T + matrix[:-1, -1]
    within = (voxels >= -0.5) & (voxels <= np.array(field.GetSize()) - 0.5)
    return list(np.all(within, axis=1).tolist())
