"""Writing label maps and volumes onto the grid of the image they belong to."""

from pathlib import Path

import nibabel as nib
import numpy as np
from PIL import Image

from shared.errors import InputError
from shared.files import write_atomically
from shared.images.reading import NIFTI_ENDINGS, is_raster, load_nifti


def label_path(output_dir: str | Path, case: str, image: str | Path) -> Path:
    """Where the label map of `image` goes: `<case>.png` for raster images, else `<case>.nii.gz`."""
    return Path(output_dir) / f"{case}{'.png' if is_raster(image) else '.nii.gz'}"


def write_label_map(path: str | Path, labels: np.ndarray, image: str | Path, affine: np.ndarray) -> Path:
    """Write class ids (*S), uint8, as a file of the shape, affine and units of `image`, from which they come.

    A NIfTI image lends its header, so that whoever reads both sees the same grid. affine: voxels to mm, RAS; used
    where the image is no NIfTI file. Raises InputError where `path` is the image itself,
    ValueError where the shapes differ.
    """
    labels = labels.astype(np.uint8)
    if is_raster(image):
        refuse_overwriting(path, image)
        return write_atomically(path, lambda temporary: Image.fromarray(labels).save(temporary))
    return write_volume(path, labels, image, affine)


def write_volume(path: str | Path, values: np.ndarray, image: str | Path, affine: np.ndarray) -> Path:
    """Write (*S) as NIfTI on the grid of `image`, a NIfTI file or DICOM series, in the type of `values`.

    Arguments and errors as of `write_label_map`.
    """
    refuse_overwriting(path, image)
    if str(image).lower().endswith(NIFTI_ENDINGS):
        source = load_nifti(image)
        header = source.header.copy()
        header.set_data_dtype(values.dtype)
        header.set_intent("none")
        header["cal_min"] = header["cal_max"] = 0
        # Where the source has trailing axes of length 1, so has what is written; channels it has not.
        if values.shape != source.shape[:3]:
            raise ValueError(f"expected the image's shape {source.shape[:3]}, got {values.shape}")
        shape = source.shape if np.prod(source.shape[3:]) == 1 else source.shape[:3]
        volume = nib.Nifti1Image(values.reshape(shape), source.affine, header)
    else:
        volume = nib.Nifti1Image(values, affine)
        volume.header.set_xyzt_units("mm")
    return write_atomically(path, lambda temporary: nib.save(volume, temporary))


def refuse_overwriting(path: str | Path, image: str | Path) -> None:
    """Raise InputError where a result would replace the image that it comes from."""
    if Path(path).resolve() == Path(image).resolve():
        raise InputError(
            path, expected="a result beside the image", got="its own place", fix="choose another --output_dir"
        )
