"""Reading PNG, JPEG, BMP, WebP, JPEG 2000, GIF, PPM and PGM, by Pillow where it keeps all bits."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.errors import InputError
from shared.images.channels import ALPHA, GRAY, RGB, Channel
from shared.images.pixels import channels_first, check_size, upright

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "JPEG2000", "GIF", "PPM")
ORIENTATION = 0x0112  # the tag of EXIF
STRIP = 1024  # rows
CHANNELS = {1: (GRAY,), 2: (GRAY, ALPHA), 3: RGB, 4: (*RGB, ALPHA)}


def read_picture(path: Path, *, as_ids: bool) -> tuple[np.ndarray, tuple[Channel, ...]]:
    """(C, *S) of a picture, upright, and its channels. Raises InputError where it is too large, or an animation."""
    import imagecodecs
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None  # slides are larger than Pillow thinks is safe: `check_size` has the limit
    file: Any  # of formats that differ in what they know
    with warnings.catch_warnings(action="ignore"), Image.open(path, formats=FORMATS) as file:  # of damaged EXIF
        check_size(path, file.height, file.width, len(file.getbands()))
        if file.format != "MPO" and getattr(file, "n_frames", 1) > 1:  # MPO: a camera's JPEG, with a preview
            raise InputError(path, expected="one picture", got=f"{file.n_frames} of an animation", fix="save each")
        if _bits(path, file.format) > 8 and (file.format == "JPEG2000" or file.mode in ("RGB", "RGBA", "LA")):
            # Pillow would keep 8 of them, or bring a JPEG 2000's 12 to 16.
            decode = imagecodecs.png_decode if file.format == "PNG" else imagecodecs.jpeg2k_decode
            pixels = decode(path.read_bytes())
        else:
            pixels = shown_pixels(file, as_ids=as_ids)
        values = upright(channels_first(pixels), _orientation(file))
    return values, CHANNELS[len(values)]


def shown_pixels(file: "Image.Image", *, as_ids: bool) -> np.ndarray:
    """(rows, columns[, C]) of an open Pillow image, gray or RGB; with `as_ids` those of a palette are its indices."""
    colours = file.mode in ("P", "PA", "CMYK", "YCbCr") and not (file.mode == "P" and as_ids)
    shown = file.convert("RGB") if colours else file
    if shown.height <= STRIP:
        return np.asarray(shown)
    first = np.asarray(shown.crop((0, 0, shown.width, 1)))
    pixels = np.empty((shown.height, *first.shape[1:]), dtype=first.dtype)
    for row in range(0, shown.height, STRIP):  # as a whole, Pillow would hold it twice more while it hands it over
        bottom = min(row + STRIP, shown.height)
        pixels[row:bottom] = np.asarray(shown.crop((0, row, shown.width, bottom)))
    return pixels


def _bits(path: Path, kind: str | None) -> int:
    """Bits a channel, as the header of a PNG or a JPEG 2000 has them; of other formats 8."""
    with path.open("rb") as file:
        start = file.read(256)
    if kind == "PNG":
        return start[24]
    place = start.find(b"ihdr") if kind == "JPEG2000" else -1
    return (start[place + 14] & 0x7F) + 1 if place >= 0 else 8


def _orientation(file: "Image.Image") -> int:
    try:
        return int(file.getexif().get(ORIENTATION, 1))
    except Exception:  # viewers show a picture whose EXIF is damaged as it is stored
        return 1
