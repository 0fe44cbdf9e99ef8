"""Reading raster images: PNG, JPEG and TIFF."""

from pathlib import Path

import numpy as np

from shared.images.file import ImageFile


def read_raster(path: Path, *, as_ids: bool) -> ImageFile:
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
