"""Reading the pixels of a TIFF's slice."""

from pathlib import Path
from typing import Any

import numpy as np

from shared.errors import InputError
from shared.images.channels import GRAY, Channel
from shared.images.pictures import shown_pixels
from shared.images.pixels import channels_first, check_size, upright
from shared.images.tiff_layout import MINISWHITE, Plane, is_coloured_otherwise, opened_tiff, tiff_layout

PALETTE, CMYK, YCBCR = 3, 5, 6  # the tag PhotometricInterpretation
OTHERS = {4: "a mask", 8: "CIELAB", 9: "CIELAB", 10: "CIELAB", 32803: "a sensor's raw mosaic", 34892: "raw colours"}
ORIENTATION = 274


def read_tiff(path: Path, slice_name: str, *, as_ids: bool) -> tuple[np.ndarray, tuple[Channel, ...]]:
    """(C, *S) of a slice, upright, and its channels. slice_name: "" where the file has one alone.

    Gray is dark where it is low, whichever way it is stored, and a palette's colours are RGB; with `as_ids` numbers
    stay what they are. Raises InputError where there is no such slice, it is too large, or of a colour space not known.
    """
    slices = tiff_layout(path).slices
    if slice_name not in slices:
        first = next(iter(slices))
        raise InputError(
            path, expected="one picture, or the name of a slice", got=f"{slice_name or 'none'} of {len(slices)}",
            fix=f"name one, as in {path.name}#{first}, or give the file as --dataset_dir for all" if first else
            "leave out the name: the file has one picture",
        )  # fmt: skip
    chosen = slices[slice_name]
    with opened_tiff(path) as tif:
        page = tif.pages[chosen.planes[0].page]
        check_size(path, page.imagelength, page.imagewidth, len(chosen.channels))
        if page.photometric in (CMYK, YCBCR) and not as_ids:
            return _converted(path, page.index), chosen.channels  # Pillow turns it upright itself
        values = np.concatenate([_plane(tif, plane) for plane in chosen.planes])
        if not as_ids:
            values = _shown(path, page, values)
        orientation = page.tags.get(ORIENTATION)
    values = upright(values, orientation.value if orientation else 1)
    return values, chosen.channels if len(values) == len(chosen.channels) else (GRAY,)


def _plane(tif: Any, plane: Plane) -> np.ndarray:
    """(C, *S) as it is stored."""
    page = tif.pages[plane.page]
    if plane.offset is None:
        pixels = page.asarray()
    else:
        stored = page.dtype.newbyteorder(tif.byteorder)
        pixels = tif.filehandle.read_array(stored, page.size, plane.offset).reshape(page.shape)
    return pixels if page.axes == "SYX" else channels_first(pixels)


def _shown(path: Path, page: Any, values: np.ndarray) -> np.ndarray:
    """Stored values as a viewer shows them."""
    if page.photometric == MINISWHITE:
        return _inverted(values, page.bitspersample)
    if page.photometric == PALETTE:
        return page.colormap[:, values[0]] // 256
    if is_coloured_otherwise(page):
        raise InputError(
            path, expected="gray, RGB, a palette, CMYK or YCbCr", fix="convert it to RGB",
            got=OTHERS.get(page.photometric, f"PhotometricInterpretation {page.photometric}"),
        )  # fmt: skip
    return values


def _inverted(values: np.ndarray, bits: int) -> np.ndarray:
    """Values that are white where they are lowest, the other way round: the highest of the type becomes 0.

    The highest of numbers with a fraction is that of the picture.
    """
    if values.dtype.kind == "f":
        return values.max() - values
    if values.dtype.kind == "u":
        return (2**bits - 1) - values
    return ~values


def _converted(path: Path, page: int) -> np.ndarray:
    """(C, *S), RGB, of a page in a colour space that Pillow converts."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None
    with Image.open(path, formats=["TIFF"]) as file:
        file.seek(page)
        return channels_first(shown_pixels(file, as_ids=False))
