"""Reading DICOM series."""

from pathlib import Path

import numpy as np

from shared.errors import InputError
from shared.images.bounds import check_voxels
from shared.images.dicom_grid import CONVERT, Plane, grid_of_planes, planes_of, straightened
from shared.images.dicom_series import DicomFile, files_of_series
from shared.images.file import ImageFile


def read_dicom(path: Path) -> ImageFile:
    """Read a series, one slice a file or one enhanced file, its slices in order along their normal.

    path: a folder, a file, or what `series_of_folder` gave. A series from a tilted gantry is sheared into place.
    Raises InputError for what is not one volume of gray voxels, and says which it is.
    """
    files = files_of_series(path)
    _check_kind(files, path)
    planes = [plane for file in files for plane in planes_of(file.header)]
    _check_frames(files, planes, path)
    header = files[0].header
    check_voxels(path, (header.get("Columns", 0), header.get("Rows", 0), len(planes)))
    values, thickness = _pixels(files)
    grid = grid_of_planes(planes, path, thickness)
    if len(planes) != values.shape[2]:
        raise InputError(path, expected=f"{len(planes)} slices", got=values.shape[2], fix=CONVERT)
    values, affine = values[..., grid.order], grid.affine
    if grid.drift.any():
        values, affine = straightened(values, grid)
    return ImageFile(path, values[None], affine)


def _pixels(files: list[DicomFile]) -> tuple[np.ndarray, float]:
    """(columns, rows, planes) in the order of the files and frames, rescaled, and GDCM's distance of slices in mm."""
    import SimpleITK as sitk  # 0.3 s to import

    sitk.ProcessObject.SetGlobalWarningDisplay(False)  # what is wrong is reported in one line
    slices = []
    for file in files:
        image = sitk.ReadImage(str(file.path), sitk.sitkFloat32)  # of integers, a later slice's slope would be rounded
        array = sitk.GetArrayFromImage(image)
        slices.append(array[None] if array.ndim == 2 else array)
    spacing = image.GetSpacing()
    return np.concatenate(slices).T, spacing[2] if len(spacing) > 2 else 1.0


def _check_kind(files: list[DicomFile], path: Path) -> None:
    """Refuse colour, and what has several slices in one picture."""
    if any(file.header.get("SamplesPerPixel", 1) != 1 for file in files):
        raise InputError(path, expected="a gray series", got="colour", fix="convert it to gray")
    if any("MOSAIC" in file.header.get("ImageType", "").upper().split("\\") for file in files):
        raise InputError(path, expected="one slice an image", got="a mosaic of slices, as Siemens writes", fix=CONVERT)
    sizes = {(file.header.get("Columns"), file.header.get("Rows")) for file in files}
    if len(sizes) > 1:
        got = ", ".join(f"{columns} × {rows}" for columns, rows in sorted(sizes))
        raise InputError(path, expected="slices of one size", got=got, fix=CONVERT)


def _check_frames(files: list[DicomFile], planes: list[Plane], path: Path) -> None:
    """Refuse frames without a place of their own, of different slopes, and several files of frames."""
    if all(int(file.header.get("NumberOfFrames") or 1) == 1 for file in files):
        return
    if len(files) > 1:
        raise InputError(path, expected="one file of several frames", got=len(files), fix=CONVERT)
    if int(files[0].header["NumberOfFrames"]) != len(planes):
        raise InputError(path, expected="a place for each frame", got=f"{len(planes)} places", fix=CONVERT)
    if len({plane.slope for plane in planes}) > 1:
        raise InputError(path, expected="one rescale slope for all frames", got="several", fix=CONVERT)
