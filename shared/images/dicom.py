"""Reading DICOM series."""

from pathlib import Path
from typing import Any

import numpy as np

from shared.errors import InputError
from shared.images.file import ImageFile

ENDINGS = (".dcm", ".ima")
IMAGE_POSITION = "0020|0032"  # the tag Image Position (Patient)


def is_dicom_series(path: Path) -> bool:
    """Whether `path` is a folder that holds DICOM files."""
    return path.is_dir() and any(is_dicom(entry) for entry in path.iterdir() if entry.is_file())


def is_dicom(path: Path) -> bool:
    """Whether a file is a DICOM image: by its ending, or, where it has none of letters, by the standard's magic."""
    if path.name == "DICOMDIR":
        return False
    if path.suffix and not path.suffix[1:].isdigit():
        return path.name.lower().endswith(ENDINGS)
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False


def read_dicom(path: Path) -> ImageFile:
    import SimpleITK as sitk  # 0.3 s to import, needed for DICOM alone

    sitk.ProcessObject.SetGlobalWarningDisplay(False)  # what is wrong is told in one line
    files = _series_files(path) if path.is_dir() else [str(path)]
    reader = sitk.ImageSeriesReader()
    reader.MetaDataDictionaryArrayUpdateOn()
    reader.SetFileNames(files)
    volume = reader.Execute()
    if volume.GetNumberOfComponentsPerPixel() != 1:
        raise InputError(path, expected="a gray series", got="colour", fix="convert it to gray")
    if volume.GetDimension() != 3 or volume.GetSize()[2] != len(files):
        raise InputError(path, expected="one slice a file", got="several", fix="convert it to NIfTI, say with dcm2niix")
    if len(files) > 1:
        _check_slices(path, [reader.GetMetaData(i, IMAGE_POSITION).split("\\") for i in range(len(files))], volume)
    affine = np.eye(4)
    affine[:3, :3] = np.array(volume.GetDirection()).reshape(3, 3) * volume.GetSpacing()
    affine[:3, 3] = volume.GetOrigin()
    lps_to_ras = np.diag([-1.0, -1.0, 1.0, 1.0])
    return ImageFile(path, sitk.GetArrayFromImage(volume).T[None], lps_to_ras @ affine)


def _check_slices(path: Path, positions: list[list[str]], volume: Any) -> None:
    """Refuse a series whose slices do not follow each other at even distances, as where some are missing or twice."""
    normal = np.array(volume.GetDirection()).reshape(3, 3)[:, 2]
    gaps = np.diff(np.array(positions, dtype=float) @ normal)
    if np.ptp(gaps) > 0.02 * abs(gaps.mean()) + 0.01 or abs(gaps.mean()) < 1e-3:
        raise InputError(
            path, expected="slices at even distances", got=f"gaps from {gaps.min():g} to {gaps.max():g} mm",
            fix="give one complete volume a folder",
        )  # fmt: skip


def _series_files(folder: Path) -> list[str]:
    """The files of the one DICOM series in `folder`, in the order of their slices."""
    import SimpleITK as sitk

    reader = sitk.ImageSeriesReader()
    series = reader.GetGDCMSeriesIDs(str(folder))
    if len(series) != 1:
        raise InputError(
            folder, expected="one DICOM series in a folder", got=len(series), fix="put each series into its own folder"
        )
    files = reader.GetGDCMSeriesFileNames(str(folder), series[0])
    there = [entry for entry in folder.iterdir() if entry.is_file() and is_dicom(entry)]
    if len(files) < len(there):
        unread = sorted(entry.name for entry in there if str(entry) not in files)
        raise InputError(
            folder, expected="DICOM files that can be read", got=f"{len(unread)} that cannot, such as {unread[:1]}",
            fix="restore or remove them",
        )  # fmt: skip
    return list(files)
