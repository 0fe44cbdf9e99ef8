"""Reading one image, whatever its format, into an `ImageFile`."""

import gzip
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from shared.errors import InputError, one_line
from shared.images.file import ImageFile, NiftiGrid

NIFTI_ENDINGS = (".nii.gz", ".nii")
RASTER_ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
DICOM_ENDINGS = (".dcm", ".ima")
ENDINGS = NIFTI_ENDINGS + RASTER_ENDINGS
IMAGE_POSITION = "0020|0032"  # the DICOM tag Image Position (Patient)


def without_ending(path: Path) -> Path:
    """`path` without an ending this module reads; `a.b.nii.gz` becomes `a.b`."""
    name = path.name
    for ending in ENDINGS + DICOM_ENDINGS:
        if name.lower().endswith(ending):
            return path.with_name(name[: -len(ending)])
    return path


def is_dicom_series(path: Path) -> bool:
    """Whether `path` is a folder that holds DICOM files."""
    return path.is_dir() and any(_is_dicom(entry) for entry in path.iterdir() if entry.is_file())


def read_image(path: str | Path, *, as_ids: bool = False) -> ImageFile:
    """Read a file or a DICOM series.

    The axes beyond the third of a NIfTI file are its channels; a raster image has the channels of its file.
    as_ids: values are ids rather than intensities, so that those of a palette are its indices and not its colours.
    Raises InputError for what cannot be read.
    """
    path = Path(path)
    if path.is_dir() or _is_dicom(path):
        kind, read = "a DICOM series", _read_dicom
    elif path.name.lower().endswith(NIFTI_ENDINGS):
        kind, read = "a NIfTI file", _read_nifti
    else:
        kind, read = "a PNG, JPEG or TIFF image", partial(_read_raster, as_ids=as_ids)
    try:
        image = read(path)
    except InputError:
        raise
    except Exception as error:  # readers raise whatever their format's library does
        raise InputError(
            path, expected=f"{kind} that can be read", got=one_line(error), fix="check that the file is complete"
        ) from error
    values, affine = image.values, image.affine
    if values.dtype.kind not in "biuf":
        raise InputError(path, expected="one real number a voxel", got=values.dtype, fix="convert it to gray")
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine)) < 1e-12:
        raise InputError(
            path, expected="an affine that gives each voxel a place", got=affine[:3].tolist(), fix="repair the header"
        )
    return replace(image, values=np.ascontiguousarray(values, dtype=np.float32))


def load_nifti(path: str | Path) -> nib.Nifti1Image:
    """A NIfTI-1 or NIfTI-2 file, read to its end, so that the checksum of a compressed one is checked."""
    path = Path(path)
    with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as file:
        content = file.read()
    second = 540 in (int.from_bytes(content[:4], "little"), int.from_bytes(content[:4], "big"))  # its header's length
    return (nib.Nifti2Image if second else nib.Nifti1Image).from_bytes(content)


def _read_nifti(path: Path) -> ImageFile:
    image = load_nifti(path)
    array = np.asarray(image.dataobj)
    channels_last = array.reshape(*array.shape[:3], -1) if array.ndim > 3 else array[..., None]
    millimetres = {"meter": 1e3, "micron": 1e-3}.get(image.header.get_xyzt_units()[0], 1.0)
    affine = np.diag([millimetres] * 3 + [1.0]) @ image.affine
    grid = NiftiGrid(image.header, image.affine, image.shape)
    return ImageFile(path, np.moveaxis(channels_last, -1, 0), affine, nifti=grid)


def _read_dicom(path: Path) -> ImageFile:
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
    there = [entry for entry in folder.iterdir() if entry.is_file() and _is_dicom(entry)]
    if len(files) < len(there):
        unread = sorted(entry.name for entry in there if str(entry) not in files)
        raise InputError(
            folder, expected="DICOM files that can be read", got=f"{len(unread)} that cannot, such as {unread[:1]}",
            fix="restore or remove them",
        )  # fmt: skip
    return list(files)


def _read_raster(path: Path, *, as_ids: bool) -> ImageFile:
    tiff = _read_tiff(path) if path.name.lower().endswith((".tif", ".tiff")) else None
    values = _read_picture(path, as_ids=as_ids) if tiff is None else tiff
    return ImageFile(path, values, np.eye(4), is_raster=True)


def _read_picture(path: Path, *, as_ids: bool) -> np.ndarray:
    """(C, *S) of what Pillow reads."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None  # slides are larger than Pillow thinks is safe
    with Image.open(path) as file:
        if file.format == "PNG" and file.mode in ("RGB", "RGBA", "LA"):
            from imagecodecs import png_decode

            array = png_decode(path.read_bytes())  # Pillow would keep 8 of 16 bits
        else:
            colours = file.mode in ("P", "PA", "CMYK", "YCbCr") and not (file.mode == "P" and as_ids)
            array = np.asarray(file.convert("RGB") if colours else file)
    return np.moveaxis(array, -1, 0) if array.ndim == 3 else array[None]


def _read_tiff(path: Path) -> np.ndarray | None:
    """(C, *S) of a gray or RGB TIFF; None where its numbers are not intensities but, say, a palette's."""
    import tifffile

    with tifffile.TiffFile(path) as file:
        if file.pages.first.photometric not in (tifffile.PHOTOMETRIC.MINISBLACK, tifffile.PHOTOMETRIC.RGB):
            return None
        array, axes = file.series[0].asarray(), file.series[0].axes
    if axes.endswith("S"):
        return np.moveaxis(array, -1, 0)
    return array if axes.startswith("S") else array[None]


def _is_dicom(path: Path) -> bool:
    """Whether a file is a DICOM image: by its ending, or, where it has none of letters, by the standard's magic."""
    if path.name == "DICOMDIR":
        return False
    if path.suffix and not path.suffix[1:].isdigit():
        return path.name.lower().endswith(DICOM_ENDINGS)
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False
